# SPDX-License-Identifier: Apache-2.0
"""Public reports on sandboxed runtimes, tried with containers in a VM and without.

Each row is a behaviour that users of runtimes with a sandbox of their own reported as different
from runc: the engine's options, and a program whose output and status must be the same.
"""

from __future__ import annotations

import pytest

from .engines import DEBIAN, Docker, Engine, Podman

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]


def sh(*lines: str) -> list[str]:
    """Return the program that runs these lines of a shell."""
    return ["sh", "-c", "\n".join(lines)]


def perl(*lines: str) -> list[str]:
    """Return the program that runs these lines of Perl."""
    return ["perl", "-e", "\n".join(lines)]


def script(content: str) -> list[str]:
    """Return the program that makes an executable file with CONTENT, a format, and runs it."""
    return sh(f"printf '{content}' > /tmp/s; chmod 755 /tmp/s; /tmp/s; echo $?")


MKNOD, CHARACTER, KMSG = 133, 0o20666, 0x10B
RAW = "print socket(S, 2, 3, 1) ? 1 : $!"

ROWS: dict[str, tuple[list[str], list[str]]] = {
    "supplementary groups": (["--user=daemon:tty", "--group-add=1000"], sh("id")),
    "user that no file names": (["--user=4242"], sh("id; echo $HOME")),
    "capabilities": (["--cap-add=NET_ADMIN"], sh("grep Cap /proc/self/status")),
    "capabilities of a user": (
        ["--user=1000", "--cap-add=NET_BIND_SERVICE"],
        sh("grep Cap /proc/self/status"),
    ),
    "read-only root": (["--read-only"], sh("for d in / /tmp /dev/shm /run; do touch $d/x; done")),
    "tmpfs options": (
        ["--tmpfs=/t:size=64k,mode=1770"],
        sh("stat -c '%a %u %g' /t; head -c 100000 /dev/zero > /t/a; stat -c %s /t/a"),
    ),
    "size of shm": (["--shm-size=1m"], sh("head -c 2000000 /dev/zero > /dev/shm/a; echo $?")),
    "device": (
        ["--device=/dev/zero:/dev/mine:r"],
        sh("echo a > /dev/mine; head -c 5 /dev/mine | wc -c"),
    ),
    "device that is not allowed": (
        [],
        perl(
            f"syscall({MKNOD}, $n = '/tmp/n', {CHARACTER}, {KMSG}) and print $!;",
            "open(F, '<', $n) ? print 1 : print $!",
        ),
    ),
    "masked files": ([], sh("head -c 1 /proc/kcore | wc -c; ls /proc/acpi /sys/firmware")),
    "read-only files": (
        [],
        sh("echo 1 > /proc/sys/kernel/panic; echo $?", "echo h > /proc/sysrq-trigger"),
    ),
    "sysctl": (["--sysctl=kernel.msgmax=9000"], sh("cat /proc/sys/kernel/msgmax")),
    "limits": (
        ["--ulimit=fsize=4096", "--ulimit=nofile=99:99", "--ulimit=nproc=99:99"],
        sh("cat /proc/self/limits; head -c 10000 /dev/zero > /tmp/a; echo $?"),
    ),
    "CPUs": (["--cpuset-cpus=0"], sh("grep Cpus_allowed_list /proc/self/status")),
    "score for the OOM killer": (["--oom-score-adj=300"], sh("cat /proc/self/oom_score_adj")),
    "name of the machine": (
        ["--hostname=a.example.com"],
        sh("uname -n; cat /proc/sys/kernel/domainname"),
    ),
    "environment": (
        ["--env=A=1 2", "--env=E="],
        perl("print qq($ENV{A}|$ENV{E}|), exists $ENV{E}, scalar keys %ENV"),
    ),
    "large environment": (
        [f"--env=BIG={'x' * 100000}"],
        perl("print length $ENV{BIG}, system '/bin/true'"),
    ),
    "folder that is not there": (["--workdir=/not/there"], sh("pwd; stat -c '%u %a' .")),
    "folder that is a file": (["--workdir=/etc/passwd"], sh("pwd")),
    "no IPC": (["--ipc=none"], sh("ls -d /dev/shm")),
    "processes of the host": (["--pid=host"], sh("test -d /proc/1 && test $$ -gt 2; echo $?")),
    "first process": ([], sh("cat /proc/1/comm; echo $$; tr '\\0' ' ' < /proc/1/cmdline")),
    "first process and signals": ([], sh("kill -TERM $$; kill -9 $$; echo alive")),
    "init and signals": (["--init"], sh("kill -TERM $$; echo alive")),
    "no terminal": ([], sh("tty; stty size")),
    "terminal": (["-t"], sh("tty; test -t 1; echo $?")),
    "closed output": ([], sh("exec 1>&-; echo x; exit 3")),
    "no input": ([], sh("cat; echo $?")),
    "signal of a child": ([], perl("system 'kill -SEGV $$'; print $?; exit 300")),
    "argument that is too long": ([], perl("exec '/bin/true', 'x' x 200000 or print $!")),
    "arguments that are too long": ([], perl("exec '/bin/true', ('x' x 100000) x 40 or print $!")),
    "script with DOS line ends": ([], script(r"#!/bin/sh\r\n")),
    "script without a first line": ([], script(r"echo hi\n")),
    "script with a long first line": ([], script("#!/" + "x" * 300 + r"\nexit 7\n")),
    "script of nobody's": ([], script(r"#!/no/such\n")),
    "links in a circle": (
        [],
        perl("symlink 1, '/tmp/2'; symlink 2, '/tmp/1'; exec '/tmp/1' or print $!"),
    ),
    "sparse file": (
        [],
        perl(
            "open F, '>', '/tmp/s'; seek F, 1 << 30, 0; print F 'x'; close F;",
            "print +(stat '/tmp/s')[7], ' ', (stat '/tmp/s')[12] < 99",
        ),
    ),
    "hard link to the image's file": (
        [],
        perl(
            "link '/etc/passwd', '/p'; open F, '>>', '/p'; print F 'x'; close F;",
            "open F, '<', '/etc/passwd'; print +(<F>)[-1], (stat F)[3]",
        ),
    ),
    "modes": (
        [],
        sh("mkdir -m 2755 /tmp/e; touch /tmp/e/f; chmod u+s /tmp/e/f; stat -c %A /tmp/e /tmp/e/f"),
    ),
    "old times": ([], sh("touch -d '2001-01-01 UTC' /etc/group; stat -c %Y /etc/group")),
    "locks": ([], perl("open A, '>/l'; open B, '>/l'; print flock(A, 6), '|', flock(B, 6), $!")),
    "socket without a name": (
        [],
        perl(
            "$n = pack 'S a*', 1, qq(\\0name); socket S, 1, 1, 0; bind S, $n; listen S, 1;",
            "socket C, 1, 1, 0; connect C, $n or die $!; accept A, S; syswrite C, 'passed';",
            "sysread A, $text, 9; print $text",
        ),
    ),
    "raw sockets": ([], perl(RAW)),
    "raw sockets without the capability": (["--cap-drop=NET_RAW"], perl(RAW)),
    "stopped job": ([], sh("sleep 9 & kill -STOP $!; kill -KILL $!; wait $!; echo $?")),
    "umask": ([], sh("umask; umask 077; touch /tmp/u; stat -c %a /tmp/u")),
    "time zone": (["--env=TZ=UTC"], sh("date +%Z")),
}


@pytest.mark.parametrize(
    "engine", [(Podman, "crun"), (Docker, "runc")], indirect=True, ids=["podman", "docker"]
)
@pytest.mark.parametrize("what", ROWS)
def test_report(engine: Engine, what: str) -> None:
    """A container's program has the same output and status in a VM and without."""
    options, program = ROWS[what]
    if isinstance(engine, Podman):  # its defaults here, which one limit alone would replace
        options = ["--ulimit=nofile=99:99", "--ulimit=nproc=99:99", *options]
    words = ["--rm", *options, DEBIAN, *program]

    theirs = engine.container("run", *words, runtime=engine.host.backend)
    ours = engine.container("run", *words)
    assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode), ours.stderr
    assert theirs.stdout or theirs.stderr or theirs.returncode, "the row shows nothing"
    if theirs.returncode not in (125, 126, 127):  # else the words are the runtime's
        assert ours.stderr == theirs.stderr
