# SPDX-License-Identifier: Apache-2.0
"""A copy of this whole system to change at will: an overlay over / in namespaces of its own.

A program in it sees this machine's files, writes to a layer of its own, and dies with it. The
network is this machine's, and so are the kernel, /dev and /sys. Needs root; see `why_not`.

Where this machine is, or was, a Kontain host, the copy begins as a host without Kontain: it is taken
away there first. So the tests are the same on any machine.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from tests.sources import ROOT

# Engines want a real file system below them, not an overlay: these get folders of their own.
ENGINE_STATE = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers")
DOCKERD = ("dockerd", "--bridge=none", "--iptables=false")  # leaves this machine's network alone

UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL")
NETWORK = ("--net", "--uts", "--ipc")
"""Further namespaces of a sandbox that is another machine on the network."""

# PID 1 of the sandbox: make the mounts, enter them, say "ready", then reap whatever dies. The Python
# environment of the tests stays where it is, also when that is below a folder that is made anew.
INIT = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$4,upperdir=$1/upper,workdir=$1/work" "$1/root"
for folder in $2; do
    mkdir -p "$1/state$folder" "$1/root$folder"
    mount --bind "$1/state$folder" "$1/root$folder"
done
cd "$1/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
case $3 in
/run/* | /tmp/*)
    mkdir -p ".$3"
    mount --bind -o ro "$3" ".$3"
    ;;
esac
pivot_root . .
umount -l .
cd /
echo ready
sleep infinity &
wait
"""


def why_not() -> str:
    """Return why no sandbox can be made here, or nothing."""
    if os.geteuid() != 0:
        return "needs root, for mount namespaces: run `sudo make test-collection`"
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "needs overlayfs in the kernel: run `modprobe overlay`"
    return ""


WHOLE_INSTALL = [
    pytest.mark.slow,
    pytest.mark.needs_root,
    pytest.mark.needs_kvm,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
    pytest.mark.skipif(
        not Path("/dev/kvm").exists(), reason="needs /dev/kvm: see `kontain check`"
    ),
]
"""The marks of tests that install Kontain whole in a sandbox."""


KONTAIN = ("/opt/kontain", "/etc/kontain", "/var/lib/kontain", "/var/log/kontain")
TAKE_AWAY = """
checkout=$1
shift
PYTHONDONTWRITEBYTECODE=1 "$checkout/command/bin/kontain" uninstall --yes --force
rm -rf "$@"
"""
"""Makes the copy of a Kontain host, of whatever version, one without."""


def _is_whiteout(info: os.stat_result) -> bool:
    """Tell how overlayfs marks what was deleted."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


class Sandbox:
    """The copy, until it is closed."""

    def __init__(
        self, own: Sequence[str] = (), spaces: Sequence[str] = (), base: Path | None = None
    ) -> None:
        """Make it, which takes no time, for nothing is copied.

        The folders `own` are empty and on a real file system, like the engines': a sandbox in a
        sandbox wants /var/tmp. `spaces` are further namespaces, such as those of NETWORK. `base`
        is the root of another system, which is seen in place of this machine's files.
        """
        self._spaces = tuple(spaces)
        self._own = (*ENGINE_STATE, *own)
        self._folder = Path(tempfile.mkdtemp(prefix="kontain-sandbox-", dir="/var/tmp"))
        for name in ("bare", "upper", "work", "root", "state"):
            (self._folder / name).mkdir(mode=0o755)
        self.upper = self._folder / "upper"
        self._begin(str(base or "/"))
        self._start = set(self._layer())
        if not base and any(os.path.lexists(path) for path in KONTAIN):
            self._take_away()

    def _take_away(self) -> None:
        """Make the copy a host without Kontain, and remember that as its beginning."""
        # In the one layer: overlayfs takes no lower folder that is within another one.
        bare = self.run("sh", "-ec", TAKE_AWAY, "sh", str(ROOT), *KONTAIN)
        if bare.returncode:
            self.close()
            raise RuntimeError(f"Kontain could not be taken away: {bare.stdout}{bare.stderr}")
        subprocess.run(["cp", "-a", f"{self.upper}/.", str(self._folder / "bare")], check=True)

    def _begin(self, lower: str) -> None:
        """Start PID 1 over this root."""
        arguments = [str(self._folder), " ".join(self._own), sys.prefix, lower]
        self._init = subprocess.Popen(
            [*UNSHARE, *self._spaces, "sh", "-c", INIT, "init", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._pid = ""
        if not self._init.stdout or self._init.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError("the sandbox could not be made: see the messages above")
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children")
        self._pid = children.read_text(encoding="ascii").strip()

    def _end(self) -> None:
        """End all that runs in it."""
        if self._pid:  # the PID 1 in there: with it all the others die before it is gone
            os.kill(int(self._pid), signal.SIGKILL)
        self._init.wait()

    def close(self) -> None:
        """End all that runs in it, and remove it."""
        self._end()
        shutil.rmtree(self._folder)

    def command(self, *argv: str) -> list[str]:
        """Return what runs `argv` in the sandbox, for subprocess."""
        enter = ["nsenter", "--target", self._pid, "--mount", "--pid", *self._spaces]
        return [*enter, "--wdns=/", "--", *argv]

    def run(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in the sandbox as root, and return what it said."""
        settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 900}
        settings |= {"env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}}
        return subprocess.run(self.command(*argv), check=False, **(settings | options))

    def start_dockerd(self, *command: str, user: Sequence[str] = ()) -> None:
        """Start a docker daemon that only the sandbox knows, and wait until it answers.

        `command` starts it (default: `DOCKERD`), and the words of `user` run it, and its client, as
        another user. Raises RuntimeError, with what it logged, when it does not answer.
        """
        log = (self._folder / "dockerd.log").open("w")
        start = self.command(*user, *(command or DOCKERD))
        daemon = subprocess.Popen(start, stdout=log, stderr=log, start_new_session=True)
        for _ in range(300):
            if self.run(*user, "docker", "version").returncode == 0:
                return
            if daemon.poll() is not None:
                # It gives its containerd 15 s, on whatever CPU; the next one finds that running.
                daemon = subprocess.Popen(start, stdout=log, stderr=log, start_new_session=True)
            time.sleep(0.2)
        raise RuntimeError((self._folder / "dockerd.log").read_text(encoding="utf-8"))

    def changes(self) -> dict[str, str]:
        """Return path: "new", "changed" or "deleted" for each file that is not as on this machine.

        A file that was changed and changed back is as it was: contents, mode and owner count.
        """
        found = ((path, self._judge(path)) for path in self._layer() if path not in self._start)
        return {path: change for path, change in found if change}

    def _layer(self) -> Iterator[str]:
        """Yield the paths of the sandbox's own layer."""
        for folder, subfolders, files in os.walk(self.upper):
            for name in subfolders + files:
                yield f"/{Path(folder, name).relative_to(self.upper)}"

    def _below(self, path: str) -> Path | None:
        """Return what the copy began with at a path, without Kontain or as on this machine."""
        place = self._folder / "bare"
        for part in Path(path).parts[1:]:
            place /= part
            if not os.path.lexists(place):
                return Path(path) if os.path.lexists(path) else None
            if _is_whiteout(place.lstat()):
                return None
        return place

    def _judge(self, path: str) -> str:
        mine, below = self.upper / path[1:], self._below(path)
        now = mine.lstat()
        if _is_whiteout(now):
            return "deleted" if below else ""
        if below is None:
            return "new"
        before = below.lstat()
        same = (now.st_mode, now.st_uid, now.st_gid) == (
            before.st_mode,
            before.st_uid,
            before.st_gid,
        )
        if stat.S_ISLNK(now.st_mode):
            same = same and mine.readlink() == below.readlink()
        elif stat.S_ISREG(now.st_mode):
            same = same and filecmp.cmp(mine, below, shallow=False)
        return "" if same else "changed"
