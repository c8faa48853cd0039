# SPDX-License-Identifier: Apache-2.0
"""Measure what a fleet costs its controller: `python3 bench/fleet/run.py [--hosts N] [--ssh N]`.

Simulated hosts answer at once (connection/simulated.py), so that what is measured is the
controller's own work for a run in which nothing is to be done: through the playbook fleet, through
`kontain fleet`, and, on a fiftieth of the hosts, through the roles of the playbook install. The SSH
hosts are real ones, made by tests/fleet/ssh_hosts.py as root. CPU seconds are of all processes of
the run, and hold on a busy machine too: two cores can do the work in half of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PYTHON = "ansible_python_interpreter=/usr/bin/python3"
FORKS = "20"
NOTED = ROOT / "build/bundle.sha256"
SUM = NOTED.read_text(encoding="ascii").split()[0] if NOTED.is_file() else ""
BUDGET = "goal 60 s on 2 cores, for 1,000 hosts"


@dataclass
class Figure:
    """The times of one run, in seconds."""

    name: str
    hosts: int
    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        """Return a line of the table."""
        each = 1000 * self.cpu_s / self.hosts
        return (
            f"{self.name:<34} {self.hosts:5} hosts {self.wall_s:8.1f} s wall {self.cpu_s:8.1f} s CPU"
            f" {each:7.1f} ms CPU a host"
        )


def measure(name: str, hosts: int, command: list[str], environment: dict[str, str]) -> Figure:
    """Run a command to its good end."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode:
        bad = [line for line in ran.stdout.splitlines() if "failed=0" not in line]
        said = "\n".join([*bad[-20:], ran.stderr[-2000:]])
        raise SystemExit(f"{' '.join(command)} ended with {ran.returncode}:\n{said}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Figure(name, hosts, round(took, 1), round(cpu, 1))


def environment_in(folder: Path) -> dict[str, str]:
    """Return an environment with the collection, the simulated connection and nothing of the user's."""
    place = folder / "collections/ansible_collections/kontain/platform"
    place.parent.mkdir(parents=True)
    place.symlink_to(ROOT)
    (folder / "ansible.cfg").touch()
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE")}
    return own | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_FORKS": FORKS,
        "KONTAIN_SIMULATED_ANSWER": str(folder / "answer.json"),
    }


def real_answer(environment: dict[str, str], folder: Path) -> None:
    """Store what this machine's preflight module answers, as the answer of all simulated hosts."""
    command = ["ansible", "localhost", "-m", "kontain.platform.preflight", "-e", PYTHON]
    settings = environment | {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline"}
    ran = subprocess.run(command, check=True, env=settings, capture_output=True, text=True)
    answer = json.loads(ran.stdout[ran.stdout.index("{") :])
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def inventory(folder: Path, hosts: int) -> str:
    """Write an inventory of simulated hosts and return its path."""
    names = [f"host{number:04}" for number in range(hosts)]
    variables = ["[all:vars]", "ansible_connection=simulated", PYTHON]
    path = folder / f"hosts-{hosts}"
    path.write_text("\n".join([*names, *variables]) + "\n", encoding="utf-8")
    return str(path)


def simulated(hosts: int, bundle: Path) -> list[Figure]:
    """Measure runs on simulated hosts in which nothing is to be done."""
    few = max(hosts // 50, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_in(folder)
        (folder / "answer.json").write_text("{}", encoding="utf-8")
        real_answer(environment, folder)
        given = ["-e", f"kontain_bundle={bundle} kontain_bundle_sha256={SUM}"]
        play = ["ansible-playbook", "-i", inventory(folder, hosts)]
        fleet = [
            str(ROOT / "command/bin/kontain"),
            "fleet",
            "apply",
            "-i",
            inventory(folder, hosts),
        ]
        fleet += [
            "--bundle",
            str(bundle),
            "--sha256",
            SUM,
            "--forks",
            FORKS,
            "--report",
            str(folder / "report"),
        ]
        roles = ["ansible-playbook", "-i", inventory(folder, few), "kontain.platform.install"]
        return [
            measure(
                "playbook fleet", hosts, [*play, "kontain.platform.fleet", *given], environment
            ),
            measure("kontain fleet apply", hosts, fleet, environment),
            measure("playbook install, by roles", few, [*roles, *given], environment),
        ]


def over_ssh(hosts: int, bundle: Path) -> list[Figure]:
    """Measure runs on real SSH hosts of this machine, where the hosts' own work counts too."""
    sys.path.insert(0, str(ROOT))
    from tests.fleet.ssh_hosts import Fleet  # noqa: PLC0415  it needs the path

    figures = []
    with closing(Fleet([f"ssh{number:02}" for number in range(hosts)])) as fleet:
        environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        base = [str(ROOT / "command/bin/kontain"), "fleet"]
        given = ["-i", str(fleet.inventory), "--report", str(fleet.folder / "report")]
        release = ["--bundle", str(bundle), "--sha256", SUM, "--engines", "podman"]
        apply = [*base, "apply", *given, *release]
        for name, command in (
            ("ssh: plan", [*base, "plan", *given, *release]),
            ("ssh: apply, first", apply),
            ("ssh: apply, nothing to do", apply),
            ("ssh: check", [*base, "check", *given]),
            ("ssh: verify", [*base, "verify", *given]),
        ):
            figures.append(measure(name, hosts, command, environment))
    return figures


def main() -> int:
    """Measure, and print a table; figures go to build/bench-fleet.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=1000, help="simulated hosts (default: 1000)")
    parser.add_argument(
        "--ssh", type=int, default=0, help="real SSH hosts, as root (default: none)"
    )
    options = parser.parse_args()
    bundle = next((ROOT / "build").glob("kontain-*-x86_64.tar.gz"), None)
    if bundle is None:
        print("run.py: there is no bundle in build/.\nTo fix: run `make bundle`.", file=sys.stderr)
        return 1
    figures = simulated(options.hosts, bundle) if options.hosts else []
    figures += over_ssh(options.ssh, bundle) if options.ssh else []
    print(*figures, sep="\n")
    print(f"budget: {BUDGET}")
    text = json.dumps([asdict(figure) for figure in figures], indent=1) + "\n"
    (ROOT / "build/bench-fleet.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
