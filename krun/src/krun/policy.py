# SPDX-License-Identifier: Apache-2.0
"""The host's policy: the operator's permissions and wishes, in /etc/kontain/krun.json.

Nothing that comes with an image can widen it. Some engines copy an image's annotations into
config.json, so only annotations that the host has listed count, and reach the backend.
"""

from __future__ import annotations

import posix

from krun import document
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

PATH = "/etc/kontain/krun.json"
BACKENDS = ("auto", "crun", "runc")
SYS_ADMIN = ("refuse", "drop", "allow")
LOG = "/var/log/kontain/krun.log"
ANNOTATION = "app.kontain.policy"
ANNOTATIONS = [
    "io.container.manager",
    "io.kubernetes.*",
    "io.podman.annotations.*",
    "nerdctl/*",
    "org.opencontainers.image.*",
    "org.systemd.property.CollectMode",
    "org.systemd.property.DefaultDependencies",
    "org.systemd.property.TimeoutStopUSec",
]
"""Annotations of podman, containerd, nerdctl and CRI-O by which no backend writes or runs
anything.

Others steer it: `run.oci.*` names files, sockets and handlers to crun, `org.criu.config` a file,
and `io.containers.trace-syscall` tells a hook to write a file.
"""


class Policy:
    """The host's permissions; the defaults are those of a host without a file."""

    def __init__(self) -> None:
        """Begin with the defaults."""
        self.annotations = ANNOTATIONS
        self.backend = "auto"
        self.choices: dict[str, dict[str, Any]] = {}
        self.direct: dict[str, str] = {}
        self.km_options: list[str] = []
        self.log = LOG
        self.snapshots = ""
        self.sys_admin = "refuse"
        self.timing = False
        self.path = PATH

    def take(self, doc: dict[str, Any], where: str = "") -> None:
        """Take the members of DOC, which is at WHERE in the file, over."""
        for name, value in doc.items():
            if name not in _MEMBERS or (where and name == "choices"):
                known = ", ".join(sorted(_MEMBERS))
                raise _wrong(
                    self.path, f'"{where}{name}" is not a member of a policy, which has {known}'
                )
            wanted, good = _MEMBERS[name]
            if not good(value):
                raise _wrong(self.path, f'"{where}{name}" must be {wanted}, found {value!r}')
            setattr(self, name, value)

    def choose(self, annotations: dict[str, Any]) -> None:
        """Take over what the host offers under the name that a container's ANNOTATIONS ask for."""
        name = annotations.get(ANNOTATION)
        if name is None:
            return
        if not isinstance(name, str) or name not in self.choices:
            offered = ", ".join(sorted(self.choices)) or "nothing"
            raise KrunError(
                f"the annotation {ANNOTATION} asks for {name!r}, and this host offers {offered}",
                f'leave the annotation out, or add it to "choices" in {self.path}',
            )
        if not _matches(ANNOTATION, self.annotations):
            raise KrunError(
                f"the annotation {ANNOTATION} asks for {name!r}, and this host lets no annotation "
                "choose, for it may be the image's",
                f'leave it out; or add {ANNOTATION} to "annotations" in {self.path}, see '
                "krun.json(5)",
            )
        self.take(self.choices[name], f"choices.{name}.")

    def handed_on(self, annotations: dict[str, str]) -> dict[str, str]:
        """Return which of a container's ANNOTATIONS its backend gets; a choice that was made is one."""
        listed = [ANNOTATION, *self.annotations]
        return {name: value for name, value in annotations.items() if _matches(name, listed)}


def _matches(name: str, patterns: list[str]) -> bool:
    """Say whether one of PATTERNS is NAME, or ends in * and begins it."""
    return any(
        name.startswith(pattern[:-1]) if pattern[-1] == "*" else name == pattern
        for pattern in patterns
    )


def load(path: str | None) -> Policy:
    """Return the policy in the file PATH, by default the host's, which need not exist."""
    policy = Policy()
    policy.path = path or PATH
    try:
        doc = _read(policy.path)
    except FileNotFoundError:
        if path is None:
            return policy
        raise KrunError(f"the policy {path} does not exist", "correct --policy") from None
    except OSError as reason:
        raise KrunError(
            f"cannot read the policy {policy.path}: {reason.strerror}", f"correct {policy.path}"
        ) from None
    policy.take(doc)
    for name, choice in policy.choices.items():
        trial = Policy()
        trial.path = policy.path
        trial.take(choice, f"choices.{name}.")
    return policy


def _is_list(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(
        isinstance(item, str) and "\0" not in item for item in value
    )


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/") and "\0" not in value


def _are_options(value: object) -> bool:
    """Say whether km may be given VALUE before its own options, which must stay options."""
    return _is_list(value) and "--" not in value and (not value or value[0].startswith("-"))


def _are_patterns(value: object) -> bool:
    return _is_list(value) and all(item and "*" not in item[:-1] for item in value)


def _are_programs(value: object) -> bool:
    """Say whether VALUE names programs of the host, no two of them for one file name."""
    if not isinstance(value, dict) or not all(map(_is_path, value.values())):
        return False
    files: dict[str, str] = {}
    for name, program in value.items():
        last = name.rpartition("/")[2]
        if last in ("", ".", "..") or "\0" in name or files.setdefault(last, program) != program:
            return False
    return True


def _are_choices(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, dict) for item in value.values())


_MEMBERS = {
    "annotations": ("a list of names, with * at the end of a name only", _are_patterns),
    "backend": (f"one of {', '.join(BACKENDS)}", BACKENDS.__contains__),
    "choices": ("an object of objects", _are_choices),
    "direct": (
        "an object that has, for names without two programs for one file name, absolute paths",
        _are_programs,
    ),
    "km_options": ("a list of options of km without --", _are_options),
    "log": ("an absolute path", _is_path),
    "snapshots": ('an absolute path or ""', lambda value: value == "" or _is_path(value)),
    "sys_admin": (f"one of {', '.join(SYS_ADMIN)}", SYS_ADMIN.__contains__),
    "timing": ("true or false", lambda value: isinstance(value, bool)),
}
"""For each member what it must be, in words and as a judge."""


def _read(path: str) -> dict[str, Any]:
    """Return the document at PATH, of the one file that was judged."""
    fd = document.open_file(path, pipe=True)
    try:
        _check_owner(fd, path)
        return document.parse(document.read_open(fd, path), path)
    finally:
        posix.close(fd)


def _check_owner(fd: int, path: str) -> None:
    """Refuse a policy, open as FD, that a user other than root, or than this one, could have written.

    In the user namespace of a rootless engine root has no number: its files are shown as those of
    the overflow uid, and so is the root folder, which tells (user_namespaces(7)).
    """
    found = posix.fstat(fd)
    owners = (0, posix.geteuid(), posix.stat("/").st_uid)
    if found.st_uid not in owners or found.st_mode & 0o022:
        raise KrunError(
            f"the policy {path} may be written by others than its owner root: "
            f"uid {found.st_uid}, mode {found.st_mode & 0o7777:o}",
            f"run `chown root:root {path} && chmod 644 {path}`",
        )


def _wrong(path: str, problem: str) -> KrunError:
    return KrunError(f"the policy {path} is wrong: {problem}", f"correct {path}; see krun.json(5)")
