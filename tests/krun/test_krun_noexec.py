# SPDX-License-Identifier: Apache-2.0
"""A container cannot see that krun makes all noexec: its questions get runc's answers."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from .support import FOREVER, ID, BundleFolder, Runtime, add_user_namespace, need_programs, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

PROGRAMS = ("bash", "make", "gcc", "perl", "git", "node", "which", "run-parts", "find")

NONE = 0xFFFFFFFF  # where an entry of a list of rights has no number

# Programs that ask first whether they may execute something, each with what it says.
ASK = r"""
exec 2>&1; cd /tmp; export HOME=/tmp; umask 022
for file in /usr/bin/ls /image/tool /image/plain /image/secret /image/listed /noexec/tool /bound/tool \
        /under/deep/tool /under/noexec/tool /tmp /dev/null /image/link /image/folder; do
    test -x $file && echo "$file x"; busybox test -x $file && echo "$file busybox x"
    perl -MPOSIX -e 'print "$ARGV[0] perl x\n" if POSIX::access($ARGV[0], 1)' $file
    python3 -c 'import os, sys
print(sys.argv[1], os.access(sys.argv[1], 1), os.access(sys.argv[1], 5, effective_ids=True), os.access(sys.argv[1], 3),
os.statvfs(sys.argv[1]).f_flag & os.ST_NOEXEC)' $file
done
which ls tool; PATH=/noexec:/bound:/image command -v tool
python3 -c 'import shutil; print(shutil.which("ls"), shutil.which("tool", path="/noexec:/image"))'
/image/tool; /noexec/tool; echo "status $?"; /bound/tool; echo "status $?"
/under/deep/tool; /under/noexec/tool; echo "status $?"; /image/plain; echo "status $?"
find /image /noexec -executable | sort
run-parts /image/parts; run-parts --test /image/parts
printf 'all:\n\t@echo made by $(SHELL)\n' >Makefile; make
printf '#include <stdio.h>\nint main(void) { return puts("compiled") < 0; }\n' >c.c; gcc -o /work/c c.c && /work/c
git init -q /work/repository && cd /work/repository && git config user.email a@b && git config user.name a
printf '#!/bin/sh\necho hooked\n' >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit
git commit -q --allow-empty -m one && git log --format=%s
node -e 'const fs = require("fs"); for (const file of ["/usr/bin/ls", "/image/plain", "/noexec/tool"])
    try { fs.accessSync(file, fs.constants.X_OK); console.log(file) } catch (e) { console.log(e.code) }'
sed 's/[^ ]* /X /' /proc/self/mounts | grep -v kontain; cut -d' ' -f4- /proc/self/mountinfo | grep -v kontain
"""


def fill(folder: Path) -> None:
    """Put into FOLDER files that may be executed, or not, in each way."""
    folder.mkdir(exist_ok=True)
    for name, mode in (("tool", 0o755), ("plain", 0o644), ("secret", 0o710), ("listed", 0o640)):
        (folder / name).write_text(f"#!/bin/sh\necho {name} ran\n")
        (folder / name).chmod(mode)
    entries = (1, 6, NONE), (2, 5, 1000), (4, 4, NONE), (8, 5, 3000), (16, 5, NONE), (32, 0, NONE)
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(folder / "listed", "system.posix_acl_access", acl)
    (folder / "link").symlink_to("tool")
    (folder / "folder").mkdir()
    (folder / "parts").mkdir()
    shutil.copy(folder / "tool", folder / "parts" / "one")
    shutil.copy(folder / "plain", folder / "parts" / "two")


@pytest.fixture
def asking(bundle: BundleFolder) -> BundleFolder:
    """A bundle with this system's programs, and files on mounts of all sorts, of which some are noexec."""
    need_programs(*PROGRAMS)
    for name in ("bin", "lib", "lib64", "sbin"):
        shutil.rmtree(bundle.rootfs / name, ignore_errors=True)
        (bundle.rootfs / name).symlink_to(f"usr/{name}")
    for name in ("image", "host"):
        fill(bundle.path / name)
    shutil.move(bundle.path / "image", bundle.rootfs / "image")
    for name in ("work", "tmp"):
        (bundle.rootfs / name).mkdir()
        (bundle.rootfs / name).chmod(0o1777)
    host = str(bundle.path / "host")
    for destination, kind, source, options in (
        ("/usr", "bind", "/usr", ["rbind", "ro"]),
        ("/etc", "bind", "/etc", ["rbind", "ro"]),
        ("/tmp", "tmpfs", "tmpfs", ["nosuid", "mode=1777"]),  # noqa: S108
        ("/noexec", "bind", host, ["bind", "noexec"]),
        ("/bound", "bind", host, ["rbind", "ro", "rprivate"]),
        ("/under", "bind", str(bundle.path / "under"), ["rbind"]),
    ):
        bundle.doc["mounts"].append(
            {"destination": destination, "type": kind, "source": source, "options": options}
        )
    bundle.doc["root"]["readonly"] = False
    bundle.script("ask", ASK)
    return bundle


# Mounts below a source, which come along; of a host of the test's own.
UNDER = """
mkdir -p under && mount -t tmpfs under under && mkdir under/deep under/noexec
mount -t tmpfs deep under/deep && mount -t tmpfs -o noexec noexec under/noexec
cp host/tool under/deep && cp host/tool under/noexec; exec "$@"
"""


def ask(bundle: BundleFolder, command: list[str]) -> list[str]:
    """The output of the container's programs when COMMAND runs it, its root unchanged."""
    work = bundle.rootfs / "work"
    shutil.rmtree(work)
    work.mkdir()
    work.chmod(0o777)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", UNDER, "sh", *command],
        capture_output=True, text=True, check=False, timeout=600, cwd=bundle.path,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("who", ["root", "user", "member", "namespace"])
def test_programs_find_what_they_may_execute(
    krun: Runtime, asking: BundleFolder, who: str
) -> None:
    """Make, gcc, git, perl, Python, node and run-parts say under krun what they say without it."""
    process = asking.doc["process"]
    if who in ("user", "member"):
        process["user"] = {"uid": 1000, "gid": 1000} if who == "user" else {
            "uid": 2000, "gid": 2000, "additionalGids": [3000]}  # fmt: skip
        process["capabilities"] = {}
    if who == "namespace":
        add_user_namespace(asking)
        for mount in asking.doc["mounts"]:
            if mount["type"] == "bind" and "noexec" in mount["options"]:
                mount["options"].append("rnoexec")  # crun 1.8 leaves the other one out there
    words = ["run", "-b", asking.args("bash", "/ask"), f"noexec-{os.getpid()}"]
    wanted = ask(asking, [*krun.before, krun.backend, "--root", str(krun.root), *words])
    found = ask(asking, krun.command(*words))
    for line in ("made by /bin/sh", "compiled", "tool ran", "hooked", "/usr/bin/ls perl x"):
        assert line in wanted
    assert "/noexec/tool False False False 8" in wanted
    assert found == wanted


def test_exec_sees_no_noexec(krun: Runtime, bundle: BundleFolder) -> None:
    """Nor does what is started later by `exec`."""
    bundle.doc["mounts"].append(
        {"destination": "/own", "type": "tmpfs", "source": "own", "options": ["noexec"]}
    )
    start(krun, bundle, "sleep", FOREVER)
    bundle.rootfs.joinpath("bin/cp").symlink_to("busybox")
    text = 'cp /bin/sh /own/true; /own/true -c :; echo $?; while read -r l; do echo "$l"; done </proc/mounts'
    done = krun("exec", ID, "sh", "-c", text)
    tables = [line.split(" ")[1:4] for line in done.stdout.splitlines()[1:]]
    hidden = {point for point, _, flags in tables if "noexec" not in flags.split(",")}
    assert done.stdout.startswith("126\n"), done
    assert {"/", "/dev"} <= hidden
    assert "/own" not in hidden
