# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in docker: a merge into daemon.json, a reload, and the exact way back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, List, Mapping, Optional

from .. import looks
from ..changes import Change, Edit, content_state, restore
from ..errors import HostError
from ..files import ABSENT, State, read_state, same
from ..host import Host
from ..journal import Entry, Journal
from ..report import Report
from . import docker_builds, docker_reload, dockerd
from .daemon_json import DEFAULT, RUNTIMES, Document
from .registration import Registration

ENGINE = looks.docker.DOCKER
OWNER = ENGINE.name


def plan(host: Host, names: List[str], wish: Registration, report: Report) -> List[Change]:
    """Return the change that registers the runtime under these names."""
    config = host.resolve(wish.config or dockerd.find_config(host))
    document = _read(host, config)
    taken: Dict[str, Optional[str]] = _given_as_options(host, config)
    taken.update({name: document.runtime_path(name) for name in names if document.runtime(name)})
    wanted = wish.free_names(names, taken, config)
    path = wish.program
    reason = f"docker finds the runtimes {', '.join(wanted)}"
    change = DockerRuntimes(config, OWNER, reason, dict.fromkeys(wanted, path))
    report.warnings += change.warnings(host)
    builds = docker_builds.plan(host, path, report, replace=wish.replace) if wish.builds else []
    return [change, *builds]


def _given_as_options(host: Host, config: str) -> Dict[str, Optional[str]]:
    """Return the runtimes of options, whose place those of the file take at the next start."""
    document = _read(host, config)
    return {
        name: path
        for daemon in dockerd.readers(host, config)
        if daemon.socket and "add-runtime" in daemon.options()
        for name, path in daemon.runtimes().items()
        if document.runtime(name) is None
    }


def containers(host: Host, journal: Journal) -> List[str]:
    """Return the names of the containers that run by runtimes that we registered."""
    return [
        name
        for entry in journal.active()
        if entry.kind == DockerRuntimes.kind
        for daemon in dockerd.readers(host, entry.path)
        if daemon.socket
        for name in daemon.containers_of(entry.params["runtimes"].__contains__)
    ]


def users_who_registered(host: Host) -> List[str]:
    """Return a warning for each user whose own docker knows the runtime: only they can change it."""
    return [
        f"the docker of uid {uid} still has the runtime in ~/.config/docker/daemon.json; "
        "that user removes it there, or with `kontain unregister docker` before this"
        for uid, knows in looks.docker.users_dockers(host).items()
        if knows
    ]


@dataclass(frozen=True)
class DockerRuntimes(Edit):
    """Runtimes (name → path) in a daemon.json, and in the dockerd that reads it."""

    kind: ClassVar[str] = "docker-runtimes"

    runtimes: Dict[str, str] = field(default_factory=dict)

    def is_pending(self, host: Host) -> bool:
        """Return whether the file lacks one of the runtimes."""
        document = _read(host, self.path)
        return any(document.runtime_path(name) != path for name, path in self.runtimes.items())

    def params(self) -> Dict[str, Any]:
        """Return the runtimes."""
        return {"runtimes": self.runtimes}

    def apply(self, host: Host, entry: Entry) -> None:
        """Merge, let dockerd validate where it can, and replace the file."""
        _validate(host, self.edited(host), self.path)
        super().apply(host, entry)

    def is_settled(self, host: Host) -> bool:
        """Return whether each dockerd that reads the file knows the runtimes, or may not be told."""
        return not self._to_tell(host)

    def settle(self, host: Host) -> None:
        """Let the dockerds that run load the runtimes."""
        for daemon in self._to_tell(host):
            daemon.reload(self.runtimes)

    def warnings(self, host: Host) -> List[str]:
        """Return a line for each dockerd that will know the runtimes after its next start only."""
        return [
            f"docker finds the runtime after its next start, not by a reload: {why}; "
            f"`systemctl reload docker` would do the same until that is in {self.path}"
            for why in (self._risk(host, daemon) for daemon in self._ignorant(host))
            if why
        ]

    def _to_tell(self, host: Host) -> List[dockerd.Dockerd]:
        return [daemon for daemon in self._ignorant(host) if not self._risk(host, daemon)]

    def _ignorant(self, host: Host) -> List[dockerd.Dockerd]:
        return [one for one in dockerd.readers(host, self.path) if not self._is_known_to(one)]

    def _is_known_to(self, daemon: dockerd.Dockerd) -> bool:
        known = daemon.runtimes() if daemon.socket else {}
        return all(known.get(name) == path for name, path in self.runtimes.items())

    def _risk(self, host: Host, daemon: dockerd.Dockerd) -> str:
        document = Document.decode(self.edited(host), self.path)
        return docker_reload.risk(daemon, document, self.runtimes)

    def edited(self, host: Host) -> bytes:
        """Return the file with the runtimes in it."""
        values = {name: {"path": path} for name, path in self.runtimes.items()}
        return _read(host, self.path).with_runtimes(values).encode()

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take the runtimes out of dockerd and of the file, which becomes the one it was.

        A file that somebody edited since keeps the edit and loses our runtimes.
        """
        place = host.path(entry.path)
        now = read_state(place)
        if now == ABSENT and (entry.before != ABSENT or not place.parent.is_dir()):
            return None if entry.before == ABSENT else "another user or program removed it"
        final = _final_content(host, journal, entry, now)
        _forget(host, journal, entry, final)
        if not same(read_state(place), ABSENT if final is None else content_state(final)):
            restore(host, entry, final)
        return None


def _read(host: Host, config: str) -> Document:
    place = host.path(config)
    content = place.read_bytes() if place.exists() else b""
    return Document.decode(content, config)


def _final_content(host: Host, journal: Journal, entry: Entry, now: State) -> Optional[bytes]:
    """Return what the file shall be in the end; None: it shall not be."""
    for step in reversed(entry.via):
        if same(now, step["state"]):
            return journal.kept(step["final"]) if step["final"] else None
    before = journal.kept(str(entry.id)) if entry.kept else None
    if same(now, entry.after) or same(now, entry.before):
        return before
    old = Document.decode(before or b"", entry.path)
    document = _without_ours(_read(host, entry.path), entry, old)
    if document.runtime_count == 0 and not old.has_runtimes:
        document = document.without_key(RUNTIMES)
    if document.default_runtime in entry.params["runtimes"]:
        document = (
            document.with_key(DEFAULT, old.default_runtime)
            if old.default_runtime
            else document.without_key(DEFAULT)
        )
    return None if before is None and document.is_empty else document.encode()


def _without_ours(document: Document, entry: Entry, old: Document) -> Document:
    """Return the document without our runtimes; one that we replaced is there again."""
    for name, path in entry.params["runtimes"].items():
        if document.runtime_path(name) != path:
            continue  # somebody took the name over
        before = old.runtime(name)
        document = (
            document.without_runtimes([name])
            if before is None
            else document.with_runtimes({name: before})
        )
    return document


def _forget(host: Host, journal: Journal, entry: Entry, final: Optional[bytes]) -> None:
    """Let the dockerds that run forget the runtimes, by way of a file that says so explicitly.

    dockerd takes a missing key "runtimes" for "as before", also on a reload; only an empty object
    removes the last runtime. The same holds for the default runtime.
    """
    ours = entry.params["runtimes"]
    document = Document.decode(final or b"", entry.path)
    knowing = [one for one in dockerd.readers(host, entry.path) if _known_of(one, ours)]
    to_tell = []
    for daemon in knowing:
        why = docker_reload.risk(daemon, document, ours)
        if not why:
            to_tell.append(daemon)
            continue
        host.warnings.append(f"docker forgets the runtime at its next start, not before: {why}")
        if daemon.socket and daemon.info().get("DefaultRuntime") in ours:
            host.warnings.append(
                "docker cannot start again: its default runtime is ours; take the option "
                "--default-runtime away first (`systemctl cat docker`)"
            )
    if not to_tell:
        return
    expected = {name: document.runtime_path(name) for name in ours}
    if not document.has_runtimes:
        document = document.with_key(RUNTIMES, {})
    if document.default_runtime is None and _read(host, entry.path).default_runtime in ours:
        document = document.with_key(DEFAULT, dockerd.STOCK_RUNTIME)
    content = document.encode()
    journal.pass_by(entry, content_state(content), final)
    restore(host, entry, content)
    for daemon in to_tell:
        daemon.reload({name: expected[name] for name in _known_of(daemon, ours)})


def _known_of(daemon: dockerd.Dockerd, ours: Mapping[str, str]) -> List[str]:
    """Return the names that a dockerd knows with the very path of ours."""
    known = daemon.runtimes() if daemon.socket else dict(ours)
    return [name for name, path in ours.items() if known.get(name) == path]


def _validate(host: Host, content: bytes, config: str) -> None:
    """Let the host's dockerd judge the new file where it can (23.0 and newer)."""
    program = host.which(ENGINE.program)
    if not program:
        return
    with tempfile.NamedTemporaryFile(suffix=".json") as draft:
        draft.write(content)
        draft.flush()
        verdict = host.run(program, "--validate", "--config-file", draft.name)
    complaint = (verdict.stderr or verdict.stdout).strip()
    if verdict.status != 0 and "unknown flag" not in complaint:
        raise HostError(
            f"cannot edit {config}",
            f"dockerd would refuse it: {complaint}",
            f"repair {config}, then run this again",
        )
