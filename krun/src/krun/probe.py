# SPDX-License-Identifier: Apache-2.0
"""Whether programs can run here, by `km --probe`, and the stamp that says so."""

from __future__ import annotations

import fcntl
import posix

from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_WRITE = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
_KVM_FD = 3  # in the probe
_MOST = 1 << 16  # of what it says

# What engines take for words on a payload, see `errors`; docker has the last one, too.
_ERRORS = {
    "permission denied": "EACCES",
    "operation not permitted": "EPERM",
    "no such file or directory": "ENOENT",
    "executable file not found in": "not found:",
    "not a directory": "ENOTDIR",
}


def run(km: str, kvm_fd: int) -> None:
    """Have KM run its probe, which ends by itself; its answer is the last line that it writes."""
    said = posix.memfd_create("probe", posix.MFD_CLOEXEC)
    out, kvm = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _KVM_FD + 1) for fd in (said, kvm_fd))
    places = ((out, 1), (out, 2), (kvm, _KVM_FD))
    try:
        pid = posix.posix_spawn(
            km,
            [km, "--probe", "--kvm-fd", str(_KVM_FD)],
            {},
            file_actions=[(posix.POSIX_SPAWN_DUP2, *place) for place in places],
        )
        posix.waitpid(pid, 0)
    except ChildProcessError:
        pass  # a caller that ignores SIGCHLD: it has ended all the same
    except OSError as reason:
        raise KrunError(
            f"cannot run {km} --probe: {_in_krun_words(str(reason.strerror))}",
            "run `kontain check`, which says why and what helps",
        ) from None
    finally:
        posix.close(out)
        posix.close(kvm)
    lines = posix.pread(said, _MOST, 0).decode(errors="replace").splitlines()
    posix.close(said)
    if lines[-1:] != ["result=ok"]:
        _refuse(lines)


def stamp(folder: int, name: str, key: bytes) -> None:
    """Put the stamp NAME of KEY into FOLDER, in the place of any other; without room there is none.

    FOLDER is -1, or KEY is empty, where none can be kept.
    """
    if folder < 0 or not key:
        return
    try:
        posix.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError:
        return
    try:
        fd = posix.open(name, _WRITE, 0o644, dir_fd=folder)
    except OSError:
        return  # another create was faster
    try:
        posix.write(fd, key)  # a part of it is no stamp of anything
    except OSError:
        return
    finally:
        posix.close(fd)


def _refuse(lines: list[str]) -> NoReturn:
    """Say in km's two lines, which are among LINES, why no program runs here."""
    why = next((line for line in lines if line.startswith("km: ")), "km: its probe said nothing")
    fixes = (line[len("To fix: ") :] for line in lines if line.startswith("To fix: "))
    fix = next(fixes, "run `kontain check`, which says why and what helps")
    raise KrunError(
        f"no program runs in a virtual machine here: {_in_krun_words(why).rstrip('.')}",
        _in_krun_words(fix).rstrip("."),
    )


def _in_krun_words(text: str) -> str:
    """Return TEXT with the names of errors whose words engines take for a payload's."""
    for words, name in _ERRORS.items():
        at = text.lower().find(words)
        while at >= 0:
            text = text[:at] + name + text[at + len(words) :]
            at = text.lower().find(words)
    return text
