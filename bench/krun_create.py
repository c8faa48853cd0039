# SPDX-License-Identifier: Apache-2.0
"""Measure krun's own time for each verb that engines send, and a whole `create`, as root.

krun's own time is from its start to the start of its backend. It is measured in a private mount
namespace where a program that ends at once lies over crun and runc, less that program's own time.
Figures are medians of calls made in turn; the ratio is to a Python that does nothing, and for a
whole `create` to the backend's own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KRUN = str(ROOT / "build" / "krun" / "bin" / "krun")
BACKENDS = [f"/usr/{folder}/{name}" for folder in ("bin", "sbin") for name in ("crun", "runc")]
NO_INPUT = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
VERBS = ("start", "state", "kill", "pause", "resume", "delete")  # the backend's own
BUDGETS = {
    "krun create": "20 ms; goal 9 ms",
    "krun exec": "goal 9 ms",
    **{f"krun {verb}": "goal 7 ms" for verb in VERBS},
}


def bundle(folder: Path) -> Path:
    """Make a bundle as docker does: 350 system calls in a seccomp profile, and a busybox."""
    (folder / "rootfs" / "bin").mkdir(parents=True)
    (folder / "rootfs" / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (folder / "rootfs" / "bin" / "busybox").chmod(0o755)
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    config = folder / "config.json"
    doc = json.loads(config.read_text())
    doc["process"].update(terminal=False, args=["busybox", "true"])
    names = [f"system_call_number_{number}" for number in range(350)]
    doc["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": names, "action": "SCMP_ACT_ERRNO"}],
    }
    config.write_text(json.dumps(doc))
    return folder


def took_ms(*command: str) -> float:
    """Return the milliseconds from before a command is started until it has ended well."""
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, {}, file_actions=[NO_INPUT])
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return (time.perf_counter() - start) * 1e3


def own_times(folder: Path, rounds: int) -> dict[str, float]:
    """Return the medians of krun's own time for each verb, and of a Python, in milliseconds."""
    root = folder / "state"
    krun = [KRUN, "--root", str(root)]
    bundle(folder / "b")
    subprocess.run([*krun, "create", "-b", str(folder / "b"), "c"], check=True)
    process = folder / "process.json"
    process.write_text(json.dumps({"args": ["busybox"], "env": ["PATH=/bin"], "cwd": "/"}))
    commands = {
        "python3 -IS -c pass": ["/usr/bin/python3", "-IS", "-c", "pass"],
        "krun create": [*krun, "create", "-b", str(folder / "b"), "new"],
        "krun exec": [*krun, "exec", "--process", str(process), "c"],
        **{f"krun {verb}": [*krun, verb, "c"] for verb in VERBS},
    }
    backends = [path for path in BACKENDS if Path(path).exists()]
    try:
        for path in backends:
            subprocess.run(["mount", "--bind", "/bin/true", path], check=True)
        times: dict[str, list[float]] = {name: [] for name in ["true", *commands]}
        for _ in range(rounds):
            times["true"].append(took_ms("/bin/true"))
            for name, command in commands.items():
                times[name].append(took_ms(*command))
    finally:
        for path in backends:
            subprocess.run(["umount", path], check=False)
        subprocess.run([*krun, "delete", "--force", "c"], check=False)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    nothing = medians.pop("true")
    python = "python3 -IS -c pass"
    return {n: ms if n == python else ms - nothing for n, ms in medians.items()}


def whole_creates(folder: Path, rounds: int) -> dict[str, float]:
    """Return the medians of a `create` with the real runc, without krun and with it."""
    root = ["--root", str(folder / "state")]
    policy = folder / "krun.json"
    policy.write_text('{"backend": "runc"}')
    programs = {
        "runc create": ["/usr/sbin/runc", *root],
        "runc create, by krun": [KRUN, *root, "--policy", str(policy)],
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            times[name].append(took_ms(*program, "create", "-b", str(folder / "b"), "w"))
            subprocess.run([*program, "delete", "--force", "w"], check=True)
    return {name: statistics.median(taken) for name, taken in times.items()}


def report(figures: dict[str, float], base: str) -> None:
    """Print FIGURES in milliseconds, each as a ratio to the one called BASE."""
    for name, ms in figures.items():
        ratio = ms / figures[base]
        print(f"{name:24} {ms:7.2f} ms  {ratio:5.2f} x {base:20} {BUDGETS.get(name, '')}")


def main() -> None:
    """Measure in a mount namespace of our own, and print a table."""
    parser = argparse.ArgumentParser(description="Measure krun's own time; needs root and KVM.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        unshare = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__]
        again = [*unshare, "--inside", "--rounds", str(options.rounds)]
        raise SystemExit(subprocess.run(again, check=False).returncode)
    with tempfile.TemporaryDirectory() as name:
        report(own_times(Path(name), options.rounds), "python3 -IS -c pass")
        report(whole_creates(Path(name), options.rounds), "runc create")


if __name__ == "__main__":
    main()
