# SPDX-License-Identifier: Apache-2.0
"""Snapshots of languages: a container starts from one that fits it exactly, and as ever without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kontain_host.errors import HostError
from kontain_runenv.layer import MTIME
from kontain_runenv.snapshot import Release, make_snapshot
from kontain_runenv.tree import write_folder
from tests.krun.support import KM, KRUN, BundleFolder, Runtime, add_user_namespace, need_programs

from .support import Host, image

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

HERE = Release(KM, KRUN)
FROZEN = "import gc; print(gc.get_freeze_count() > 0)"
"""Prints whether the interpreter was resumed: its maker freezes what is in it."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of the image of Python, and snapshots that have `random`."""
    need_programs("runc")
    folder = tmp_path_factory.mktemp("made")
    write_folder(image("python3").tree, folder / "rootfs")
    for path in (folder / "rootfs").rglob("*"):
        os.utime(path, (MTIME, MTIME), follow_symlinks=False)
    assert make_snapshot(image("python3"), ["random"], HERE, folder / "snapshots") == "made"
    return folder


@pytest.fixture
def snapshots(made: Path, tmp_path: Path) -> Iterator[Path]:
    """Return the snapshots, which a test may change for its end."""
    shutil.copytree(made / "snapshots", tmp_path / "kept")
    yield made / "snapshots"
    for name in ("about.json", "snapshot"):
        place = made / "snapshots" / "python3" / name
        if place.read_bytes() != (tmp_path / "kept" / "python3" / name).read_bytes():
            make_snapshot(image("python3"), ["random"], HERE, made / "snapshots")


class Container:
    """Containers of the image of Python, by krun with the snapshots and a log."""

    def __init__(self, folder: Path, made: Path) -> None:
        """Make the bundle in FOLDER."""
        self.krun = Runtime("runc", folder)
        self.log = folder / "logs" / "krun"  # whose folder krun makes
        self.snapshots = made / "snapshots"
        self.bundle = BundleFolder(folder / "bundle")
        shutil.rmtree(self.bundle.rootfs)
        shutil.copytree(made / "rootfs", self.bundle.rootfs, symlinks=True, copy_function=os.link)
        (self.bundle.rootfs / "app").mkdir(exist_ok=True)
        process = self.bundle.doc["process"]
        process["cwd"] = "/app"
        process["env"] = ["PATH=/usr/bin", "HOME=/nothing"]
        process["env"] += [f"{k}={v}" for k, v in image("python3").environment.items()]
        self.switch(on=True)

    def switch(self, *, on: bool) -> None:
        """Say in the policy whether containers start from snapshots."""
        member = {"snapshots": str(self.snapshots)} if on else {}
        self.krun.set_policy({"log": str(self.log), **member})

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `python3 WORDS`."""
        return self.krun("run", "--bundle", self.bundle.args("python3", *words), "warm")

    def resumed(self) -> bool:
        """Say whether a container starts from a snapshot."""
        done = self("-c", FROZEN)
        assert done.returncode == 0, done.stderr
        return done.stdout == "True\n"

    def why_not(self) -> str:
        """Return why a container was not started from a snapshot, by the last line of the log."""
        assert not self.resumed()
        entry = json.loads(self.log.read_text().splitlines()[-1])
        assert (entry["event"], entry["program"]) == ("no snapshot", "/usr/bin/python3")
        return str(entry["why"])


@pytest.fixture
def container(made: Path, tmp_path: Path) -> Container:
    """Return the containers."""
    return Container(tmp_path, made)


@pytest.mark.parametrize("user", [0, 65532])
def test_containers_start_from_it_when_the_host_says_so(container: Container, user: int) -> None:
    """One line in the policy switches it on, and without it nothing is different."""
    container.bundle.doc["process"]["user"] = {"uid": user, "gid": user}
    assert container.resumed()
    assert not container.log.exists()
    container.switch(on=False)
    assert not container.resumed()


SCRIPT = """\
import os, sys
print(sys.argv, __name__, __file__, sorted(globals()), sys.path, sys.orig_argv)
print(sorted(os.environ.items()), os.getcwd(), sys.stdout.encoding, sys.flags, sys.executable)
print(sys.stdin.read(), __loader__.path, getattr(__spec__, "name", None), __doc__)
def fail(): raise ValueError(len(sys.argv))
if "fail" in sys.argv: fail()
sys.exit(len(sys.argv))
"""


@pytest.mark.parametrize(
    "words",
    [
        ("script.py", "one", "two words"),
        ("/app/script.py", "fail"),
        ("-c", "import sys; print(sys.argv, sys.path, sorted(globals()))", "-x", ""),
        ("-c", "raise KeyError"),
        ("-c", "syntax error"),
        ("-m", "script", "one"),
        ("-m", "json.tool", "none"),
        ("none.py",),
    ],
)
def test_what_a_program_sees_is_the_same(container: Container, words: tuple[str, ...]) -> None:
    """Its output, errors and status are those of an ordinary start."""
    (container.bundle.rootfs / "app" / "script.py").write_text(SCRIPT)
    resumed = container(*words)
    container.switch(on=False)
    ordinary = container(*words)
    assert resumed.stdout == ordinary.stdout
    assert resumed.stderr == ordinary.stderr
    assert resumed.returncode == ordinary.returncode


def test_environment_is_the_containers(container: Container) -> None:
    """Variables and modules of the container count, and none of the snapshot's."""
    container.bundle.doc["process"]["env"].append("GREETING=hello")
    modules = container.bundle.rootfs / "usr/local/lib/python3.11/dist-packages"
    versions = list(container.bundle.rootfs.glob("usr/lib/python3.*"))
    modules = modules.parents[1] / versions[0].name / "dist-packages"
    modules.mkdir(parents=True)
    (modules / "installed.py").write_text("WORD = 'installed'\n")
    done = container(
        "-c", f"import os, installed; print(os.environ['GREETING'], installed.WORD); {FROZEN}"
    )
    assert done.stdout == "hello installed\nTrue\n", done.stderr


def test_two_containers_draw_other_random_numbers(container: Container) -> None:
    """Random numbers differ; the seed of hashes is the snapshot's."""
    code = "import os, random, uuid, tempfile; print(random.random(), os.urandom(8), uuid.uuid4(), next(tempfile._get_candidate_names())); print(hash('x'))"
    one, two = (container("-c", f"{code}; {FROZEN}").stdout.splitlines() for _ in range(2))
    assert one[2] == two[2] == "True"
    assert all(a != b for a, b in zip(one[0].split(), two[0].split()))
    assert one[1] == two[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda doc: doc["env"].append("PYTHONHASHSEED=0"), "another environment"),
        (lambda doc: doc["env"].append("LD_PRELOAD=/app/audit.so"), "another environment"),
        (lambda doc: doc["env"].append("TZ=Asia/Tokyo"), "another environment"),
        (lambda doc: doc.update(cwd="/"), "another folder"),
        (lambda doc: doc["user"].update(umask=0o77), "another umask"),
    ],
    ids=["environment", "loader", "zone", "folder", "umask"],
)
def test_process_that_would_start_otherwise(
    container: Container, change: Callable[[dict[str, object]], None], why: str
) -> None:
    """Where Python would look at something that the snapshot has seen otherwise, it starts as ever."""
    change(container.bundle.doc["process"])
    assert why in container.why_not()


def test_container_with_users_of_its_own(container: Container) -> None:
    """A container in a user namespace starts as ever: its root opens nothing of the host's root."""
    add_user_namespace(container.bundle)
    assert "users of its own" in container.why_not()


def test_it_is_shown(container: Container) -> None:
    """`krun diff` shows the snapshot among what is different."""
    (container.bundle.rootfs / "app" / "wait.py").write_text("import time; time.sleep(60)")
    assert (
        container.krun.create("--bundle", container.bundle.args("python3", "wait.py"), "shown")
        == 0
    )
    try:
        assert "/dev/.kontain/snapshot" in container.krun("diff", "shown").stdout
    finally:
        container.krun("delete", "--force", "shown")


def test_options_of_python_are_pythons(container: Container) -> None:
    """An interpreter's own option is for one that starts."""
    assert container("-S", "-c", FROZEN).stdout == "False\n"
    assert "it takes a script, or one of -c, -m" in container.log.read_text()


def test_image_with_another_library(container: Container) -> None:
    """An image whose standard library is not the snapshot's has its own."""
    path = next(container.bundle.rootfs.glob("usr/lib/python3.*/os.py"))
    text = path.read_text()
    path.unlink()
    path.write_text(text + "\n")
    assert "the image has another" in container.why_not()


@pytest.mark.parametrize(
    "path", ["etc/ld.so.preload", "etc/localtime", "usr/bin/pyvenv.cfg", "usr/lib/python3{}.zip"]
)
def test_file_that_the_image_had_not(container: Container, path: str) -> None:
    """Where there is a file that an interpreter reads when it starts, one starts as ever."""
    version = next(container.bundle.rootfs.glob("usr/lib/python3.*")).name[len("python3.") :]
    path = path.format(version)
    (container.bundle.rootfs / path).write_text("")
    assert f"the container has /{path}" in container.why_not()


def test_user_has_a_module_of_the_start(container: Container) -> None:
    """A module usercustomize acts in a resumed interpreter as in one that starts."""
    version = next(container.bundle.rootfs.glob("usr/lib/python3.*")).name
    modules = container.bundle.rootfs / f"usr/local/lib/{version}/dist-packages"
    modules.mkdir(parents=True)
    (modules / "usercustomize.py").write_text("print('audited')\n")
    assert container("-c", FROZEN).stdout == "audited\nTrue\n"


def test_changed_km_makes_it_anew(container: Container, snapshots: Path, tmp_path: Path) -> None:
    """One that another km made is not used, and made again."""
    other = tmp_path / "km"
    shutil.copy(KM, other)
    assert make_snapshot(image("python3"), ["random"], Release(other, KRUN), snapshots) == "made"
    assert "another km" in container.why_not()
    assert make_snapshot(image("python3"), ["random"], HERE, snapshots) == "made"
    assert container.resumed()
    assert make_snapshot(image("python3"), ["random"], HERE, snapshots) == "unchanged"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("kernel", "5.10", "another kernel"),
        ("boot", "0", "before this boot"),
        ("programs", "/usr/bin/python3", "must be a list"),
        ("files", {"/usr/../../etc": {"passwd": [1, 2]}}, "the image has"),
    ],
)
def test_description_that_is_not_right(
    container: Container, snapshots: Path, name: str, value: object, why: str
) -> None:
    """One of another kernel or boot, or with a wrong description, is not used."""
    path = snapshots / "python3" / "about.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value, "made_for": ""}))
    assert why in container.why_not()


@pytest.mark.parametrize("name", [".", "python3", "python3/about.json", "python3/snapshot"])
def test_only_roots_own_counts(container: Container, snapshots: Path, name: str) -> None:
    """A folder or file that another user owns, or may write, is not used."""
    path = snapshots / name
    mode = path.stat().st_mode
    os.chown(path, 1000, 1000)
    try:
        assert "not root's alone" in container.why_not()
        os.chown(path, 0, 0)
        path.chmod(mode | 0o002)
        assert "not root's alone" in container.why_not()
    finally:
        os.chown(path, 0, 0)
        path.chmod(mode)
        about = snapshots / "python3" / "about.json"
        about.write_text(about.read_text().replace('"made_for"', '"was_made_for"'))


def test_snapshot_that_was_changed(container: Container, snapshots: Path) -> None:
    """A snapshot that was tampered with is not used."""
    path = snapshots / "python3" / "snapshot"
    path.chmod(0o755)
    with path.open("r+b") as file:
        file.truncate(8192)
    about = snapshots / "python3" / "about.json"
    assert "not the one that was made" in container.why_not()
    about.write_text(about.read_text().replace('"made_for"', '"was_made_for"'))


def test_module_that_is_none(made: Path) -> None:
    """A word that is no name of a module is refused, and one that cannot be imported."""
    with pytest.raises(HostError, match="no name of a module"):
        make_snapshot(image("python3"), ["os; x"], HERE, made / "snapshots")
    with pytest.raises(HostError, match="cannot make a snapshot of python3"):
        make_snapshot(image("python3"), ["none_such"], HERE, made / "snapshots")


def test_engines_start_from_it(host: Host, made: Path) -> None:
    """Podman's and docker's containers of the image, with their profiles and mounts, start from it."""
    host.engine.host.set_policy({"snapshots": str(made / "snapshots")})
    try:
        done = host.run(host.load("python3"), "-c", f"import os; print(os.getuid()); {FROZEN}")
    finally:
        host.engine.host.set_policy({})
    assert done.stdout == "65532\nTrue\n", done.stderr
