# SPDX-License-Identifier: Apache-2.0
"""Files below /proc that programs read about themselves and their children."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path


def words(path: str) -> "list[bytes]":
    """Return the zero-terminated strings of a file."""
    return Path(path).read_bytes().split(b"\0")


me, proc = os.getpid(), Path("/proc/self")
print(
    os.readlink("/proc/self/exe"),
    os.readlink(f"/proc/{me}/exe"),
    os.readlink("/proc/thread-self/exe"),
)
print(
    words("/proc/self/cmdline")[0],
    len(words("/proc/self/cmdline")),
    words("/proc/self/environ")[:4],
)
print(
    (proc / "comm").read_text(),
    os.readlink("/proc/self/cwd") == os.getcwd(),
    os.readlink("/proc/self/root"),
)
print(sorted(os.listdir("/proc/self/fd")), sorted(os.listdir("/proc/self/fdinfo")))
print(
    re.findall(
        r"^(Name|State|Threads|Uid|SigIgn):\t(.*)",
        (proc / "status").read_text(),
        re.MULTILINE,
    )
)
stat = (proc / "stat").read_text()
print(
    re.search(r"\((.*)\)", stat)[1],
    int(stat.split()[0]) == me,
    int(stat.split()[3]) == os.getppid(),
)
print(os.stat("/proc/self/exe").st_ino == os.stat(sys.executable).st_ino)

maps = [line.split(maxsplit=5) for line in (proc / "maps").read_text().splitlines()]
names = {line[5] for line in maps if len(line) > 5}
print({name for name in names if name.startswith("[")} >= {"[heap]", "[stack]", "[vdso]"})
program = os.path.realpath(sys.executable)
print(sorted({line[1] for line in maps if line[-1] == program}))
stack = next(line for line in maps if line[-1] == "[stack]")
print(stack[1], any("libc.so.6" in name for name in names), sorted(n for n in names if "km" in n))
smaps = (proc / "smaps").read_text()
print(smaps.count("\nRss:") == len(re.findall(r"^[0-9a-f]+-[0-9a-f]+ ", smaps, re.MULTILINE)))
auxv = Path("/proc/self/auxv").read_bytes()
print(len(auxv) % 16, int.from_bytes(auxv[-16:-8], "little"))

barrier = threading.Barrier(6)
for _ in range(5):
    threading.Thread(target=lambda: (barrier.wait(), barrier.wait())).start()
barrier.wait()
print(len(os.listdir("/proc/self/task")), (proc / "stat").read_text().rsplit(")")[1].split()[17])
barrier.wait()

reads = ["sh", "-c", "echo; read x", "a name", "b c"]
with subprocess.Popen(reads, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    child.stdout.read(1)
    print(words(f"/proc/{child.pid}/cmdline"), Path(f"/proc/{child.pid}/comm").read_text())
    print(
        os.readlink(f"/proc/{child.pid}/exe"), os.readlink(f"/proc/{child.pid}/cwd") == os.getcwd()
    )
    print(sorted(os.listdir(f"/proc/{child.pid}/fd")))
    print(
        re.search(r"^PPid:\t(\d+)", Path(f"/proc/{child.pid}/status").read_text(), re.MULTILINE)[1]
        == str(me)
    )
    child.communicate(b"\n")
