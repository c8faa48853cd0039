# SPDX-License-Identifier: Apache-2.0
"""Run programs to their end, in an environment of no user's making, and quote what they said."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from .errors import FIX

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
_KEPT_VARIABLES = ("HOME", "XDG_RUNTIME_DIR")


class Output(NamedTuple):
    """A program's output; `status` is as that of subprocess: negative for a signal."""

    status: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """Return the last line of its complaints, or else of what it printed, without a full stop."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1].strip().rstrip(".") if lines else f"it ended with status {self.status}"

    @property
    def two_lines(self) -> Tuple[str, str]:
        """Return what its last error was and what to do, each "" where it did not say, without full stops.

        A program of Kontain's says both, and engines pass that on among lines of their own.
        """
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        fixes = [line[len(FIX) :].rstrip(".") for line in lines if line.startswith(FIX)]
        problems = [line.rstrip(".") for line in lines if not line.startswith(FIX)]
        return problems[-1] if problems else "", fixes[-1] if fixes else ""


class Process:
    """A started program, in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        place: str = "",
        *,
        stdin: Optional[int] = None,
        environment: Optional[Mapping[str, str]] = None,
        folder: Optional[str] = None,
    ) -> None:
        """Start `command`, whose program lies at `place` for this process (default: as it is named).

        The environment is by default that of `clean_environment`; the program starts in `folder`.
        """
        self._command = command
        self._popen = subprocess.Popen(
            (place or command[0], *command[1:]),
            env=clean_environment() if environment is None else environment,
            cwd=folder,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def finish(self, limit_s: Optional[float] = None) -> Output:
        """Wait for the end of the program, and return what it said.

        Raises TimeoutError, after it was killed with all that it started, when it needs longer.
        """
        began = time.monotonic()
        try:
            stdout, stderr = self._popen.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            took = time.monotonic() - began
            raise TimeoutError(
                f"`{' '.join(self._command)}` gave no answer for {took:.0f} s"
            ) from None
        except BaseException:
            self.kill()
            raise
        return Output(self._popen.returncode, stdout, stderr)

    def kill(self) -> None:
        """End the program and all that it started, and forget what it said."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        for stream in (self._popen.stdout, self._popen.stderr):
            if stream is not None:
                stream.close()
        self._popen.wait()


def clean_environment() -> Dict[str, str]:
    """Return the variables for a program of the host; root's reads no user's configuration."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    if os.geteuid() == 0:  # whoever called
        kept = {"HOME": "/root"}
    return {"PATH": PATH, "LC_ALL": "C", **kept}
