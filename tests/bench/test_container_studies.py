# SPDX-License-Identifier: Apache-2.0
"""The studies of containers count and draw what they measured."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import breakdown  # noqa: E402 - found only now
import burst  # noqa: E402
import engines  # noqa: E402
import plot  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def test_burst_counts_what_fails() -> None:
    """A container that ends badly is counted, with what it said; the others still are good."""
    row = burst.burst(["sh", "-c", "echo NAME no >&2; test NAME != two"], ["one", "two", "three"])

    assert (row["containers"], row["good"], row["error"]) == (3, 2, "two no\n")
    assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["max_ms"]
    assert row["per_second"] > 0


def test_burst_starts_all_at_once() -> None:
    """Three that sleep take as long as one."""
    row = burst.burst(["sleep", "0.5"], ["a", "b", "c"])

    assert row["max_ms"] < 1400


@pytest.mark.parametrize(("share", "wanted"), [(0, 1), (0.5, 5), (0.9, 9), (0.91, 10), (1, 10)])
def test_quantile_is_the_nearest_rank(share: float, wanted: float) -> None:
    """At least that share of the values is not above it."""
    assert burst.quantile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == wanted


def test_costs_are_differences() -> None:
    """A part's cost is the gain of a start without it; krun's own part stands apart."""
    medians = {"all": 10.0, "seccomp": 8.0, "in a VM": 15.0, "in a VM, no hook": 13.0,
               "krun": 22.0, "nothing": 1.0}  # fmt: skip

    assert breakdown.costs(medians) == {
        "Python (krun)": 7.0, "VM": 3.0, "seccomp": 2.0, "noexec hook": 2.0,
    }  # fmt: skip


def test_ratio_is_to_the_backend() -> None:
    """Each way with krun is compared with the way before it, which is the same without."""
    medians = {"crun": 10.0, "krun": 15.0, "docker, runc": 100.0, "docker, kontain": 105.0}

    assert engines.ratios(medians) == {"krun": 1.5, "docker, kontain": 1.05}


def test_variant_lacks_its_part() -> None:
    """Only the part that is named is gone, and the base is left as it was."""
    spaces = [{"type": kind} for kind in ("mount", *breakdown.NAMESPACES)]
    doc = {
        "process": {"capabilities": {}}, "hostname": "x", "mounts": [{"type": "sysfs"}],
        "linux": {"namespaces": spaces, "seccomp": {}, "maskedPaths": []},
    }  # fmt: skip
    before = json.dumps(doc)

    made = breakdown.variants(doc)
    assert json.dumps(doc) == before
    assert {"type": "pid"} not in made["pid namespace"]["linux"]["namespaces"]
    assert len(made["pid namespace"]["linux"]["namespaces"]) == len(spaces) - 1
    assert "hostname" not in made["uts namespace"]
    assert made["network namespace"]["mounts"] == []
    assert "seccomp" not in made["seccomp"]["linux"]


def drawn(chart: str) -> ET.Element:
    """Return CHART as a document."""
    return ET.fromstring(chart)  # noqa: S314 - our own text


def test_plots_are_svg() -> None:
    """A chart has a line or a bar for each thing, and its names are text, whatever they are."""
    chart = drawn(plot.lines("a<b", "x", "y", {"one & two": [(1, 1), (64, 9)], "z": []}))
    assert len(chart.findall(f"{SVG}polyline")) == 2
    assert "one & two" in [text.text for text in chart.iter(f"{SVG}text")]
    chart = drawn(plot.bars("t", "ms", {"a": 1.0, "b": -1.0, "c": 0}))
    assert len(chart.findall(f"{SVG}rect")) == 1 + 3
    drawn(plot.lines("nothing", "", "", {}))


@pytest.mark.needs_root
@pytest.mark.needs_kvm
def test_breakdown_of_a_real_start(tmp_path: Path) -> None:
    """One run gives every part's cost, and both files."""
    if os.geteuid() != 0 or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("root and /dev/kvm are needed: run as root where `kontain check` is good")
    if not Path("/usr/bin/crun").exists() or not Path("/usr/sbin/runc").exists():
        pytest.skip("crun or runc is missing: install the Debian packages crun and runc")
    output = tmp_path / "breakdown.json"
    program = BENCH / "breakdown.py"
    ran = subprocess.run(
        [sys.executable, program, "--rounds", "1", "--output", output],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    costs = json.loads(output.read_text())["costs_ms"]
    assert {"seccomp", "pid namespace", "cgroups", "VM", "noexec hook", "Python (krun)"} <= set(
        costs
    )
    assert output.with_suffix(".svg").exists()


def test_ratios_are_drawn_by_their_logarithm() -> None:
    """Each way has a dot in each line that it was measured in, as far from 1 as from 100 to 10."""
    rows = {"pipe": {"runc": 1.0, "kontain": 10.0}, "fork": {"kontain": 100.0}}
    chart = drawn(plot.ratios("title", ["runc", "kontain"], rows))
    one, ten, hundred = (float(dot.get("cx", 0)) for dot in chart.iter(f"{SVG}circle"))

    assert ten - one == pytest.approx(hundred - ten, abs=0.2)
