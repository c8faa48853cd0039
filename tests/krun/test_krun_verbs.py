# SPDX-License-Identifier: Apache-2.0
"""The verbs of an engine show and do the same with a container in a VM and without."""

from __future__ import annotations

import subprocess
import tarfile
from functools import partial
from pathlib import Path

import pytest

from .engines import DEBIAN, Docker, Engine, Podman
from .support import PATIENCE, wait_until

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

PROGRAM = (
    "trap 'echo got USR1' USR1; trap 'echo bye; exit 5' INT; echo first > /made; echo up;"
    "while :; do sleep 0.1; done"
)


class Lived:
    """A container of one runtime, and what its user was shown of it."""

    def __init__(self, engine: Engine, runtime: str, folder: Path) -> None:
        """Start it."""
        self.engine, self.runtime, self.folder = engine, runtime, folder
        self.shown: dict[str, object] = {}
        folder.mkdir()
        words = ["-d", "--stop-signal=INT", "--env=A=b", DEBIAN, "bash", "-c", PROGRAM]
        self.id = engine.container("run", *words, runtime=runtime).stdout.strip()
        wait_until(partial(self.has_said, "up"))

    def __call__(self, what: str, *words: str) -> str:
        """Call the engine with WORDS and note what it showed."""
        done = self.engine(*words, runtime=self.runtime)
        self.shown[what] = (
            done.returncode,
            done.stdout.replace(self.id, "ID").replace(self.id[:12], "ID"),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def has_said(self, text: str) -> bool:
        """Say whether the container has written TEXT."""
        return text in self.engine("logs", self.id, runtime=self.runtime).stdout

    def files(self) -> None:
        """Copy files in and out, and look at all of them."""
        given = self.folder / "given"
        given.write_text("of the host\n")
        self("cp in", "cp", str(given), f"{self.id}:/tmp/in")
        self("what came in", "exec", self.id, "sh", "-c", "cat /tmp/in; stat -c '%u %a' /tmp/in")
        self("cp out", "cp", f"{self.id}:/made", str(self.folder / "out"))
        self.shown["what came out"] = (self.folder / "out").read_text()
        self("export", "export", "-o", str(self.folder / "all.tar"), self.id)
        with tarfile.open(self.folder / "all.tar") as tar:
            self.shown["files"] = sorted(
                (member.name.strip("./"), member.mode, member.uid) for member in tar
            )

    def processes(self) -> None:
        """Look at its processes, stop them for a while, send a signal."""
        format_ = ["-o", "pid,comm"] if isinstance(self.engine, Docker) else ["pid", "comm"]
        done = self.engine("top", self.id, *format_, runtime=self.runtime)
        self.shown["top"] = [line.split()[1] for line in done.stdout.splitlines()][:2]
        self("stats", "stats", "--no-stream", "--format={{.ID}}", self.id)
        self("pause", "pause", self.id)
        self("paused", "inspect", "--format={{.State.Status}}", self.id)
        refused = self.engine("exec", self.id, "true", runtime=self.runtime).returncode
        self.shown["exec in a paused one"] = refused
        self("unpause", "unpause", self.id)
        self("kill", "kill", "--signal=USR1", self.id)
        wait_until(partial(self.has_said, "got USR1"))

    def image(self) -> None:
        """Make an image of it, and run that."""
        name = f"made-of-{self.runtime}"
        self.engine("commit", "--change=CMD cat /made", self.id, name, runtime=self.runtime)
        made = self.engine.container("run", "--rm", name, runtime=self.runtime)
        self.shown["made of it"] = (made.returncode, made.stdout)
        self.engine("rmi", name, runtime=self.runtime)

    def end(self) -> None:
        """End it while a user is attached, start it again, give it another name, remove it."""
        words = [*self.engine.words(self.runtime), "attach", "--no-stdin", self.id]
        seen = self.folder / "seen"
        with (
            seen.open("w") as output,
            subprocess.Popen(self.engine.host.command(*words), stdout=output) as user,
        ):
            wait_until(partial(self.is_attached, seen))
            self("stop", "stop", f"--time={int(30 * PATIENCE)}", self.id)
            self("wait", "wait", self.id)
            self.shown["attached"] = user.wait(60 * PATIENCE)
        self.shown["seen"] = set(seen.read_text().splitlines())
        self("logs", "logs", self.id)
        self("start", "start", self.id)
        self("rename", "rename", self.id, f"renamed-{self.runtime}")
        self("restart", "restart", f"--time={int(30 * PATIENCE)}", self.id)
        self("rm", "rm", "--force", self.id)

    def is_attached(self, seen: Path) -> bool:
        """Say whether the user has SEEN the output of a signal."""
        self.engine("kill", "--signal=USR1", self.id, runtime=self.runtime)
        return "got USR1" in seen.read_text()


@pytest.mark.parametrize(
    "engine", [(Podman, "crun"), (Docker, "runc")], indirect=True, ids=["podman", "docker"]
)
def test_all_that_a_user_does(engine: Engine, tmp_path: Path) -> None:
    """Each verb of the engine shows and does the same, from the first output to the removal."""
    shown = []
    for runtime in ("kontain", engine.host.backend):
        lived = Lived(engine, runtime, tmp_path / runtime)
        lived.files()
        lived.processes()
        lived.image()
        lived.end()
        lived.shown["logs"] = set(str(lived.shown["logs"]).split("\\n"))
        lived.shown["rename"] = lived.shown["restart"] = 0
        shown.append(lived.shown)
    assert shown[0] == shown[1]
    assert shown[0]["wait"] == (0, "5\n")
    assert shown[0]["made of it"] == (0, "first\n")
    assert "ID" in str(shown[0]["stop"])
