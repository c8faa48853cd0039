# SPDX-License-Identifier: Apache-2.0
"""The documents' figures come from one record of runs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import machine  # noqa: E402
import record  # noqa: E402
import tables  # noqa: E402


def test_pages_and_plots_are_those_of_the_record() -> None:
    """Every page and plot in the repository is the one that the record makes."""
    kept = json.loads(record.RECORD.read_text(encoding="utf-8"))
    made = record.texts(kept)
    for name in record.PAGES:
        page = (ROOT / name).read_text(encoding="utf-8")
        assert page == record.fill(page, made), f"run `python3 bench/record.py` for {name}"
    for name, chart in record.plots(kept).items():
        assert record.RECORD.with_name(name).read_text(encoding="utf-8") == chart


def a_run(**more: Any) -> dict[str, Any]:
    """Return what a program of bench/ writes."""
    return {"machine": machine.facts(), **more}


def test_a_run_replaces_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a run gets into the record, the pages and the plots, and other text stays."""
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(record, "RECORD", tmp_path / "figures.json")
    monkeypatch.setattr(record, "PAGES", ("page.md",))
    (tmp_path / "figures.json").write_text("{}")
    page = "a\n\n<!-- figures: peers in short -->\n\n| old |\n\n<!-- figures: costs -->\n\nb\n"
    (tmp_path / "page.md").write_text(page)
    figures = {"stat (us)": {"native": 2.0, "runc": 3.0, "kontain": 2500.0}}
    versions = {"native": "Linux", "runc": "runc 1", "kontain": "krun 1"}
    run = tmp_path / "peers.json"
    run.write_text(json.dumps(a_run(versions=versions, figures=figures)))

    assert record.main(["peers", str(run)]) == 0
    row = "| stat (us) | 2 | 3 (1.5x) | not measured | 2,500 (1,250x) |\n"
    head = "| measure | host | runc | gVisor | Kontain |\n| --- | --- | --- | --- | --- |\n"
    assert (tmp_path / "page.md").read_text() == page.replace("| old |\n", head + row)
    assert "<svg" in (tmp_path / "comparison-peers.svg").read_text()
    assert record.main(["unknown", str(run)]) == 2


def test_peers_are_compared_with_the_host() -> None:
    """A line has each way's figure with its ratio; one that was not measured is said to be so."""
    figures = {
        "pipe (us)": {"native": 2.0, "runc": 3.0},
        "idle Node service (MiB)": {"native": 8.0, "runc": 16.0},
    }
    text = tables.peers(figures, ["native", "runc", "gVisor"])

    assert "| pipe (us) | 2 | 3 (1.5x) | not measured |\n" in text
    assert "| idle Node services on 24 GiB, computed | 2,944 | 1,472 |  |\n" in text


def test_who_is_ahead_is_computed() -> None:
    """Each measure stands with the runtime that takes less, the largest difference first."""
    figures = {
        "pipe (us)": {"gVisor": 1.0, "kontain": 2.0},
        "stat (us)": {"gVisor": 6.0, "kontain": 2.0},
        "fork (us)": {"gVisor": 9.0, "kontain": 2.0},
    }
    assert tables.ahead(figures) == (
        "- **Kontain is ahead of gVisor** in fork (4.5 x); stat (3 x).\n"
        "- **gVisor is ahead of Kontain** in pipe (2 x).\n"
    )


def test_costs_are_in_units_that_read() -> None:
    """Nanoseconds become the unit that suits them, and a program's native figure its own column."""
    shape = {"median": 2e6, "unit": "ns", "budget": "1.1", "goal": ""}
    figures = [
        {**shape, "name": "hello: native", "best": 250.0, "ratio": 1, "to": "native"},
        {**shape, "name": "hello: km", "best": 1500.0, "ratio": 6, "to": "native"},
    ]
    row = "| hello | 250 ns | 1.5 us (median 2 ms) | 6 x host | 1.1 |  |\n"
    assert tables.costs(figures).endswith(row)
