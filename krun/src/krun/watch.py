# SPDX-License-Identifier: Apache-2.0
"""The verbs `trace` and `gdb`: as `exec`, but km shows what the program does.

A program that runs already is not reached by them: km sees a program from its first instruction on.
"""

from __future__ import annotations

import posix

from krun import document, state
from krun.errors import KrunError
from krun.execute import Joining, load_process
from krun.rewrite import allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from krun.call import Call

USAGE = "Usage: krun [OPTION...] {} [OPTION of exec...] ID [PROGRAM [ARG...]]\n"
_END = "--"
"""Behind it km's command line has the payload."""
_PATH_MOST = 107
"""Bytes of a socket's path; unix(7)."""


def watch(call: Call) -> int:
    """Start a program in a container, traced or for gdb; return only a debugged program's status."""
    if not call.arguments:
        raise KrunError(
            f"{call.verb} needs a container ID",
            f"write `krun {call.verb} ID [PROGRAM [ARG...]]`",
        )
    container_id, *args = call.arguments
    joining = Joining(call, container_id)
    calls = call.options.get("calls")
    options = call.options.without("cap", "calls")
    options.items += [("cap", cap) for cap in allowed(call.options.all("cap"), joining.rules)]
    path = options.get("process")
    process = None if path is None else load_process(path)
    if process is None and not args:
        args = _own_program(joining)
    verb, call.verb = call.verb, "exec"  # for the backend it is nothing else
    if verb == "trace":
        joining.in_a_vm(
            options, process, args, ["--trace" if calls is None else f"--trace={calls}"]
        )
    listener = _Listener(call.root, container_id)
    listener.open()
    try:
        _say(f"krun: waiting for gdb: {listener.command(joining.pid)}\n")
        words = ["--gdb-fd", str(joining.number + 1)]
        return _wait(lambda: joining.in_a_vm(options, process, args, words, listener.fd))
    finally:
        listener.close()


def _own_program(joining: Joining) -> list[str]:
    """Return the program that the container was made for, with its arguments."""
    made = document.member(joining.container.config(), "process", dict) or {}
    args = document.strings(made, "args", "process.")
    return args[args.index(_END) + 1 :]


class _Listener:
    """A socket at which gdb can connect, in a folder of krun's user alone, while this is open."""

    def __init__(self, root: str, container_id: str) -> None:
        self.folder = f"{root}.gdb"
        self.path = f"{self.folder}/{container_id}.{posix.getpid()}"

    def open(self) -> None:
        """Begin to listen, or raise why not."""
        import socket  # noqa: PLC0415 - for this verb only

        if len(self.path.encode()) > _PATH_MOST:
            raise KrunError(
                f"cannot wait for gdb: a socket's path has at most {_PATH_MOST} bytes, found "
                f"{len(self.path.encode())}: {self.path}",
                "give a shorter --root, or debug a container with a shorter ID",
            )
        try:
            if not state.exists(self.folder):
                posix.mkdir(self.folder, 0o700)
            found = posix.lstat(self.folder)
            if found.st_uid != posix.geteuid() or found.st_mode & 0o077:
                raise PermissionError(0, "others may write there")
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.bind(self.path)
            self._socket.listen(1)
        except OSError as reason:
            raise KrunError(
                f"cannot wait for gdb at {self.path}: {reason.strerror}",
                f"see that {self.folder} is yours alone, or remove it",
            ) from None
        self.fd = self._socket.fileno()

    def close(self) -> None:
        """Leave nothing behind."""
        self._socket.close()
        posix.unlink(self.path)
        try:
            posix.rmdir(self.folder)
        except OSError:
            return  # another one waits there

    def command(self, pid: int) -> str:
        """Return the command that debugs a program in the container whose process is PID."""
        return f"gdb -ex 'set sysroot /proc/{pid}/root' -ex 'target remote {self.path}'"


def _say(text: str) -> None:
    posix.write(2, text.encode(errors="surrogateescape"))


def _wait(start: Any) -> int:
    """Let a child become what START makes of it, and return its status as a shell has it.

    What a terminal sends goes to both; it is the program's.
    """
    import signal  # noqa: PLC0415 - likewise

    pid = posix.fork()
    if pid == 0:
        _become(start)
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: posix.kill(pid, signal.SIGTERM))
    _, status = posix.waitpid(pid, 0)
    code = posix.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(start: Any) -> NoReturn:
    import os  # noqa: PLC0415 - likewise

    status = 125
    try:
        start()
    except KrunError as error:
        _say(f"{error}\n")
        status = error.status
    finally:
        os._exit(status)
