# SPDX-License-Identifier: Apache-2.0
"""Run the playbook kontain.platform.fleet by ansible-runner, and hear of each host as it is done."""

from __future__ import annotations

import os
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List

from kontain_preflight.errors import WRONG_USAGE, HostError
from kontain_preflight.programs import Process

from .record import CHANGED, FAILED, GOOD, INTERRUPTED, UNREACHABLE, Outcome
from .told import misfits

ROOT = Path(__file__).resolve().parents[2]  # of a checkout or an installed collection
PLAYBOOK = "kontain.platform.fleet"
ENDS = {
    "runner_on_ok": GOOD,
    "runner_on_failed": FAILED,
    "runner_on_unreachable": UNREACHABLE,
}
VERBS: Dict[str, Dict[str, str]] = {
    "plan": {"kontain_proof": "never"},
    "apply": {},
    "check": {"kontain_state": "checked", "kontain_proof": "never"},
    "verify": {"kontain_state": "checked", "kontain_proof": "always"},
}
KEPT = ("release", "rolled_back", "cold_start_ms", "missing", "changes", "results", "facts")


NO_COLLECTION = f"the playbook: {PLAYBOOK} could not be found"
UNREADABLE = "Module result deserialization failed"
REACH = "see that the inventory is right and that Ansible reaches its hosts"
CANCEL_AFTER = 0.2  # s until ansible-runner sees an interruption: its own 5 begin further waves
CUT_OFF = "the run was interrupted while this host was being worked on: it may have changed"
NO_ANSWER = "the host's answer is not of its form"
NOT_STARTED = (126, 127)  # what a shell, and the shims of pyenv and asdf, say of a program


@dataclass
class Play:
    """The play to run, and its hosts."""

    verb: str
    inventory: str
    variables: Dict[str, Any]
    forks: int = 20
    limit: str = ""
    more: List[str] = field(default_factory=list)  # arguments for ansible-playbook

    def hosts(self) -> List[str]:
        """Return the hosts, in the inventory's order."""
        command = ["ansible", "all", "--list-hosts", "-i", self.inventory]
        command += ["--limit", self.limit] if self.limit else []
        ran = Process(command, environment=os.environ).finish()
        hosts = [line.strip() for line in ran.stdout.splitlines()[1:] if line.strip()]
        if ran.status or not hosts:
            why = ran.last_words if ran.stderr.strip() else "it has no hosts"
            what = f"cannot read the inventory {self.inventory}"
            raise HostError(what, why, REACH, WRONG_USAGE)
        return hosts

    def run(
        self,
        hosts: List[str],
        on_wave: Callable[[int], None],
        on_host: Callable[[Outcome], None],
    ) -> str:
        """Run on these hosts; return what ansible-runner calls the end: successful, failed, canceled."""
        import ansible_runner  # type: ignore[import-untyped]  # noqa: PLC0415  --help needs none

        hearer = _Hearer(on_wave, on_host)
        with tempfile.TemporaryDirectory(prefix="kontain-fleet-") as folder:
            limit = Path(folder, "hosts")
            limit.write_text("\n".join(hosts) + "\n", encoding="utf-8")
            cmdline = ["--limit", f"@{limit}", *self.more]
            cmdline += ["--check", "--diff"] if self.verb == "plan" else []
            ended = ansible_runner.run(
                private_data_dir=folder,
                playbook=PLAYBOOK,
                inventory=self.inventory,
                extravars={**VERBS[self.verb], **self.variables},
                cmdline=shlex.join(cmdline),
                envvars=environment(Path(folder)),
                forks=self.forks,
                settings={"pexpect_timeout": CANCEL_AFTER},
                quiet=True,
                event_handler=hearer.hear,
            )
        if ended.status == "canceled":
            hearer.interrupt()
        if not hearer.wave and ended.status != "canceled":
            raise did_not_begin(hearer.said.strip() or str(ended.status))
        return str(ended.status)


def did_not_begin(said: str) -> HostError:
    """Return the error for what Ansible said before its first play."""
    if NO_COLLECTION not in said:
        return HostError("Ansible did not begin", said.rstrip("."), REACH, WRONG_USAGE)
    return HostError(
        "Ansible did not begin",
        "this controller lacks the collection kontain.platform",
        "run `ansible-galaxy collection install kontain-VERSION/kontain-platform-VERSION.tar.gz`, "
        "a file of the unpacked bundle, or see docs/how-to/provision-hosts.md for other sources",
        WRONG_USAGE,
    )


class _Hearer:
    """Turns ansible-runner's events into waves and outcomes."""

    def __init__(self, on_wave: Callable[[int], None], on_host: Callable[[Outcome], None]) -> None:
        self.wave = 0
        self.said = ""
        self._on_wave, self._on_host = on_wave, on_host
        self._begun: Dict[str, int] = {}  # hosts that are being worked on, and their wave

    def hear(self, event: Dict[str, Any]) -> bool:
        """Take an event; return False, so that none is written to the disk."""
        kind, data = event.get("event"), event.get("event_data", {})
        if kind == "playbook_on_play_start":
            self.wave += 1
            self._on_wave(self.wave)
        elif kind == "runner_on_start":
            self._begun[data["host"]] = self.wave
        elif kind in ENDS:
            self._begun.pop(data["host"], None)
            self._on_host(outcome(kind, data, self.wave))
        elif not self.wave:
            self.said += event.get("stdout", "") + "\n"
        return False

    def interrupt(self) -> None:
        """Give the hosts that were being worked on their outcome: a module that was begun may end later."""
        for host, wave in self._begun.items():
            self._on_host(Outcome(host, INTERRUPTED, wave, message=CUT_OFF))


def outcome(kind: str, data: Dict[str, Any], wave: int) -> Outcome:
    """Return what an event says of a host."""
    found = data.get("res", {})
    ended = CHANGED if kind == "runner_on_ok" and found.get("changed") else ENDS[kind]
    kept = {key: found[key] for key in KEPT if found.get(key) is not None}
    wrong = misfits(kept)
    if wrong:
        return Outcome(data["host"], FAILED, wave, message=f"{NO_ANSWER}: {', '.join(wrong)}.")
    message = str(found.get("msg", "")) if ended in (FAILED, UNREACHABLE) else ""
    if ended == FAILED and found.get("module_stderr"):
        message = f"{message}\n{found['module_stderr'][-2000:]}"
        if UNREADABLE in message and found.get("rc") in NOT_STARTED:
            message = no_python(found["module_stderr"])
    seconds = round(float(data.get("duration") or 0), 3)
    return Outcome(data["host"], ended, wave, seconds, message=message, **kept)


def no_python(said: str) -> str:
    """Return the two lines about a Python of a host that does not start, such as a shim of pyenv."""
    first = (said.strip().splitlines() or ["it said nothing"])[0]
    return (
        f"the Python that Ansible chose on this host does not start: {first}.\n"
        "To fix: set ansible_python_interpreter to a real one for this host in the inventory, "
        "such as /usr/bin/python3; a shim of pyenv or asdf does not count."
    )


def environment(folder: Path) -> Dict[str, str]:
    """Return the variables for Ansible; the user's own settings win."""
    settings = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_SSH_ARGS": "-C -o ControlPersist=30m"}
    settings = {name: value for name, value in settings.items() if name not in os.environ}
    if "ANSIBLE_CONFIG" not in os.environ and Path("ansible.cfg").exists():
        settings["ANSIBLE_CONFIG"] = str(Path("ansible.cfg").resolve())
    if (ROOT / "playbooks/fleet.yml").exists():
        place = folder / "collections/ansible_collections/kontain/platform"
        place.parent.mkdir(parents=True)
        place.symlink_to(ROOT)
        theirs = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "~/.ansible/collections")
        settings["ANSIBLE_COLLECTIONS_PATH"] = f"{folder}/collections:{theirs}"
    return settings
