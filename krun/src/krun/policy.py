# SPDX-License-Identifier: Apache-2.0
"""The host's policy: what an operator allows and wants, in /etc/kontain/krun.json.

Nothing that comes with an image can widen it: some engines copy an image's annotations into
config.json, so no annotation is read here.
"""

from __future__ import annotations

import posix

from krun import document
from krun.errors import KrunError

PATH = "/etc/kontain/krun.json"
BACKENDS = ("auto", "crun", "runc")
SYS_ADMIN = ("refuse", "drop", "allow")
INITS = (
    "/usr/bin/docker-init",
    "/usr/sbin/docker-init",
    "/usr/libexec/docker/docker-init",
    "/usr/bin/catatonit",
    "/usr/libexec/podman/catatonit",
    "/usr/libexec/catatonit/catatonit",
    "/usr/lib/podman/catatonit",
)
"""Where distributions keep the programs that docker and podman mount for `--init`."""


class Policy:
    """What the host allows; the defaults are those of a host without a file."""

    def __init__(self) -> None:
        """Begin with the defaults."""
        self.backend = "auto"
        self.inits = list(INITS)
        self.km_options: list[str] = []
        self.sys_admin = "refuse"


def load(path: str | None) -> Policy:
    """Return the policy in the file PATH, by default the host's, which need not exist."""
    policy = Policy()
    try:
        _check_owner(path or PATH)
        doc = document.load(path or PATH)
    except FileNotFoundError:
        if path is None:
            return policy
        raise KrunError(f"the policy {path} does not exist", "correct --policy") from None
    except OSError as reason:
        raise KrunError(
            f"cannot read the policy {path or PATH}: {reason.strerror}", f"correct {path or PATH}"
        ) from None
    for name, value in doc.items():
        if name not in vars(policy):
            known = ", ".join(sorted(vars(policy)))
            raise _wrong(path, f'"{name}" is no part of a policy, which has {known}')
        setattr(policy, name, _checked(path, name, value))
    return policy


def _checked(path: str | None, name: str, value: object) -> object:
    """Return VALUE if member NAME of the policy may have it."""
    choices = {"backend": BACKENDS, "sys_admin": SYS_ADMIN}.get(name)
    if choices is not None:
        if value not in choices:
            raise _wrong(path, f'"{name}" must be one of {", ".join(choices)}, found {value!r}')
        return value
    kind, good = _LISTS[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(path, f'"{name}" must be a list of strings, found {value!r}')
    if not good(value):
        raise _wrong(path, f'"{name}" must be {kind}, found {value!r}')
    return value


def _are_paths(words: list[str]) -> bool:
    return all(word.startswith("/") and "\0" not in word for word in words)


def _are_options(words: list[str]) -> bool:
    """Say whether km may be given WORDS before its own options, which must stay options."""
    return all(word != "--" and "\0" not in word for word in words) and (
        not words or words[0].startswith("-")
    )


_LISTS = {
    "inits": ("absolute paths", _are_paths),
    "km_options": ("options of km without --", _are_options),
}


def _check_owner(path: str) -> None:
    """Refuse a policy that somebody other than root, or than this user, could have written."""
    found = posix.stat(path)
    if found.st_uid not in (0, posix.geteuid()) or found.st_mode & 0o022:
        raise KrunError(
            f"the policy {path} may be written by others than its owner root: "
            f"uid {found.st_uid}, mode {found.st_mode & 0o7777:o}",
            f"run `chown root:root {path} && chmod 644 {path}`",
        )


def _wrong(path: str | None, problem: str) -> KrunError:
    path = path or PATH
    return KrunError(f"the policy {path} is wrong: {problem}", f"correct {path}; see krun.json(5)")
