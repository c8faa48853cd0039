# SPDX-License-Identifier: Apache-2.0
"""Measure the cost of a container's start, part by part, by switching each off; needs root, KVM.

`crun run` of a bundle as docker makes it is the base. For each part it is run again without that
part: the difference is its cost. Then krun's own document is run by crun, without its hook, and
through krun, which gives the cost of the VM, of the hook and of Python.
Each round measures every variant once, in an order of its own, for the kernel is still clearing up
after one when the next begins; figures are medians. A JSON and an SVG file are written.
"""

import argparse
import copy
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import plot  # noqa: E402 - found only now
from krun_create import KRUN, bundle, took_ms  # noqa: E402 - likewise

CRUN = "/usr/bin/crun"
NAMESPACES = ("pid", "network", "ipc", "uts", "cgroup")


def variants(doc: "dict[str, Any]") -> "dict[str, dict[str, Any]]":
    """Return the document DOC without each of its parts, by the name of the part."""
    made = {}
    for kind in NAMESPACES:
        changed = copy.deepcopy(doc)
        spaces = changed["linux"]["namespaces"]
        changed["linux"]["namespaces"] = [space for space in spaces if space["type"] != kind]
        if kind == "uts":
            changed.pop("hostname", None)
        if kind in ("network", "ipc"):  # these cannot be mounted without a namespace of their own
            gone = {"network": "sysfs", "ipc": "mqueue"}[kind]
            changed["mounts"] = [m for m in changed["mounts"] if m["type"] != gone]
        made[f"{kind} namespace"] = changed
    for name, above, member in (
        ("seccomp", "linux", "seccomp"),
        ("capabilities", "process", "capabilities"),
        ("masked paths", "linux", "maskedPaths"),
    ):
        made[name] = copy.deepcopy(doc)
        made[name][above].pop(member, None)
    return made


def krun_document(folder: Path) -> "dict[str, Any]":
    """Return the document that krun gives to crun for the bundle in FOLDER."""
    krun = [KRUN, "--root", str(folder / "state")]
    command = [*krun, "create", "--bundle", str(folder / "b"), "c"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    doc: dict[str, Any] = json.loads((folder / "state/c/config.json").read_text())
    subprocess.run([*krun, "delete", "--force", "c"], check=True)
    return doc


def commands(folder: Path) -> "dict[str, list[str]]":
    """Return the command of each variant."""
    bundle(folder / "b")
    base = json.loads((folder / "b/config.json").read_text())
    base["process"]["rlimits"] = []
    (folder / "b/config.json").write_text(json.dumps(base))
    ours = krun_document(folder)
    without_hook = copy.deepcopy(ours)
    del without_hook["hooks"]
    documents = {"all": base, "in a VM": ours, "in a VM, no hook": without_hook, **variants(base)}
    root = ["--root", str(folder / "state")]
    made = {}
    for number, (name, doc) in enumerate(documents.items()):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(doc))
        keep = ["--preserve-fds=1"] if name.startswith("in a VM") else []
        made[name] = [
            CRUN, *root, "run", *keep, f"--config={path}", f"--bundle={folder / 'b'}", f"v{number}",
        ]  # fmt: skip
    made["cgroups"] = [CRUN, "--cgroup-manager=disabled", *made["all"][1:]]
    made["krun"] = [KRUN, *root, "run", f"--bundle={folder / 'b'}", "k"]
    made["nothing"] = [str(folder / "b/rootfs/bin/busybox"), "true"]
    return made


def costs(medians: "dict[str, float]") -> "dict[str, float]":
    """Return what each part costs, in milliseconds, from the MEDIANS of the variants."""
    whole = medians["all"]
    of_vm = ("all", "in a VM", "in a VM, no hook", "krun", "nothing")
    found = {name: whole - ms for name, ms in medians.items() if name not in of_vm}
    found["VM"] = medians["in a VM, no hook"] - whole
    found["noexec hook"] = medians["in a VM"] - medians["in a VM, no hook"]
    found["Python (krun)"] = medians["krun"] - medians["in a VM"]
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def measure(rounds: int) -> "dict[str, float]":
    """Return the median time of each variant in milliseconds."""
    kvm = os.open("/dev/kvm", os.O_RDWR)
    os.dup2(kvm, 3)  # by which km gets KVM: the descriptor after the three standard ones
    os.set_inheritable(3, True)
    with tempfile.TemporaryDirectory(prefix="breakdown") as name:
        times: dict[str, list[float]] = {}
        made = commands(Path(name))
        for _ in range(rounds):
            for variant in random.sample(list(made), len(made)):
                times.setdefault(variant, []).append(took_ms(*made[variant]))
    return {variant: statistics.median(taken) for variant, taken in times.items()}


def main() -> None:
    """Measure in namespaces of our own, print a table, and write the files."""
    parser = argparse.ArgumentParser(
        description="Measure the cost of a container's start, part by part."
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "breakdown.json")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        view = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'
        enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", view, "sh"]
        again = [*enter, sys.executable, __file__, *sys.argv[1:], "--inside"]
        raise SystemExit(subprocess.run(again, check=False).returncode)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    medians = measure(options.rounds)
    found = costs(medians)
    for name in ("nothing", "all", "in a VM", "krun"):
        print(f"{name:24} {medians[name]:8.2f} ms")
    for name, ms in found.items():
        print(f"  cost of {name:20} {ms:6.2f} ms")
    results = {"medians_ms": medians, "costs_ms": found}
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    chart = plot.bars("The cost of a container's start", "ms", found)
    options.output.with_suffix(".svg").write_text(chart)


if __name__ == "__main__":
    main()
