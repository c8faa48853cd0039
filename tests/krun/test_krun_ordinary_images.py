# SPDX-License-Identifier: Apache-2.0
"""An image in the layout of a distribution, with dynamic programs, behaves as it does under runc."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from .engines import DEBIAN, Docker, Engine, Podman
from .support import FOREVER, IN_A_VM, PATIENCE, wait_until

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

COMMANDS = {
    "pipeline": "seq 1 100 | grep 7 | sort -rn | head -3 | tr '\\n' ' '",
    "substitution": "cat <(echo a) <(echo b); echo $(date +%Y | wc -c)",
    "loop": "for i in 1 2 3; do echo $i; done | while read n; do echo $n-; done",
    "job": "sleep 0.2 & wait $!; echo done $?",
    "trap": "trap 'echo term; exit 9' TERM; kill -TERM $$; sleep 5",
    "killed": "{ bash -c 'kill -KILL $$'; } 2> /dev/null; echo $?",
    "exit": "(exit 3); echo $?; exit 4",
    "files": "mkdir /tmp/d; touch /tmp/d/f; chmod 600 /tmp/d/f; stat -c '%a %U' /tmp/d/f",
    "tar": "tar cf - /etc 2>/dev/null | tar tf - | sort",
    "find": "find /usr/bin -name 's*' | xargs ls -d | wc -l",
    "fifo": "mkfifo /tmp/f; (echo x > /tmp/f &); cat /tmp/f",
    "perl": "perl -e 'print join(q(,), map { $_ * 2 } 1..3), qq(\\n); print `uname -s`'",
    "environment": "echo $A $PWD $PATH; env | grep -c .",
    "descriptors": "ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/exe; tr '\\0' ' ' < /proc/self/cmdline",
    "shm": "echo x > /dev/shm/f && cat /dev/shm/f; ls /dev/shm",
    "script": "/script a; echo $?; sh /script b 2>&1 | head -1",
    "here": "cat <<END | sed s/a/b/\nabc\nEND",
}  # fmt: skip


def test_shell_commands(engine: Engine) -> None:
    """A shell does the same in a VM as in a container: same output, same status."""
    each = 'for command; do bash -c "$command" 2>&1; echo "--- $?"; done'
    words = ["--rm", "-e", "A=b", DEBIAN, "bash", "-c", each, "bash", *COMMANDS.values()]

    ours = engine.container("run", *words)
    theirs = engine.container("run", *words, runtime="runc")
    parts = [done.stdout.split("---") for done in (ours, theirs)]
    assert dict(zip(COMMANDS, parts[0])) == dict(zip(COMMANDS, parts[1])), ours.stderr
    assert len(parts[0]) == len(COMMANDS) + 1


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (["--user=daemon"], "id"),
        (["--user=1000:5", "--group-add=1"], "id; touch /x"),
        (["--read-only", "--tmpfs=/tmp"], "touch /x; echo a > /tmp/b; cat /tmp/b"),
        (["--tmpfs=/t:exec"], "cp /bin/true /t/x; /t/x; echo $?"),
        (["--cap-drop=all", "--security-opt=no-new-privileges"], "grep Cap /proc/self/status"),
        (["--hostname=name"], "uname -n; cat /etc/hostname"),
        (["--workdir=/usr/bin"], "pwd; ./true; echo $?"),
        (["--ulimit=nofile=99:99"], "ulimit -n"),
        (["--pid=host"], "[ $$ -gt 2 ] && echo host"),
        (["--cpus=0.5", "--memory=100m"], "perl -e '$x = q(a) x 10_000_000; print length $x'"),
        (["--memory=64m"], "exec perl -e '$x = q(a) x 200_000_000; print length $x'"),
        (["--init"], "bash -c '(sleep 0.1 &)'; sleep 0.5; ps ax -o stat= | grep -c Z"),
        (["--entrypoint=/script"], "ignored"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_option(engine: Engine, options: list[str], command: str) -> None:
    """An option of an engine has the effect in a VM that it has without."""
    words = ["--rm", *options, DEBIAN, "sh", "-c", command]

    ours = engine.container("run", *words)
    theirs = engine.container("run", *words, runtime="runc")
    assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode), ours.stderr


def test_memory_limit_is_seen(engine: Engine) -> None:
    """Of a container that needed too much memory, the engine tells what it tells under runc."""
    told = []
    for runtime in ("kontain", "runc"):
        words = ["run", "-d", "--memory=64m", DEBIAN, "perl", "-e", "$x = q(a) x 200_000_000"]
        container = engine.container(*words, runtime=runtime).stdout.strip()
        assert engine("wait", container).stdout.strip() == "137"
        asked = "{{.State.OOMKilled}} {{.State.ExitCode}}"
        told.append(engine("inspect", f"--format={asked}", container).stdout.strip())
        engine("rm", container)
    assert told[0] == told[1]
    assert told[0].endswith("137")
    if isinstance(engine, Docker):  # podman's conmon does not see it in cgroups of version 1
        assert told[0] == "true 137"


@pytest.mark.parametrize(
    "options",
    [
        ["--cgroups=disabled"],
        ["--cgroups=no-conmon"],
        ["--uidmap=0:100000:65536"],
        ["--uidmap=0:100000:65536", "--user=5", "--cap-drop=all", "--read-only"],
        ["--systemd=always"],
        ["--security-opt=unmask=ALL"],
    ],
    ids=" ".join,
)
def test_option_of_podman(engine: Engine, options: list[str]) -> None:
    """Options that only podman has hold in a VM too."""
    if not isinstance(engine, Podman):
        pytest.skip("these options are podman's")
    done = engine.container("run", "--rm", *options, DEBIAN, "uname", "-r")

    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr


def is_up(engine: Engine, container: str) -> bool:
    """Return whether a container has said so."""
    return "up" in engine("logs", container).stdout


@pytest.mark.parametrize("init", [[], ["--init"]], ids=["plain", "init"])
def test_stop_with_signals(engine: Engine, init: list[str]) -> None:
    """`stop` lets a program end in its own way, and kills it when its time is over."""
    polite = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done"
    deaf = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    for command, status, seconds in ((polite, "7", 30), (deaf, "137", 2)):
        run = engine.container("run", "-d", *init, DEBIAN, "bash", "-c", command)
        container = run.stdout.strip().splitlines()[-1]
        wait_until(partial(is_up, engine, container))
        engine("stop", f"--time={seconds * PATIENCE:.0f}", container)
        assert engine("wait", container).stdout.strip() == status
        assert engine("rm", "--force", container).returncode == 0


def test_exec_joins_the_container(engine: Engine) -> None:
    """An exec has its own user, folder and environment, and shares files and processes."""
    container = engine.container("run", "-d", "--init", DEBIAN, "sleep", FOREVER).stdout.strip()

    done = engine("exec", "-u", "daemon", "-w", "/usr", "-e", "A=b", container, "sh", "-c",
                  "id -un; pwd; echo $A; uname -r")  # fmt: skip
    assert done.stdout.splitlines()[:3] == ["daemon", "/usr", "b"]
    assert done.stdout.endswith(f"{IN_A_VM}\n")
    assert engine("exec", container, "sh", "-c", "(sleep 0.2 &)").returncode == 0
    assert engine("exec", "-d", container, "touch", "/made").returncode == 0
    wait_until(lambda: "made" in engine("exec", container, "ls", "/").stdout.splitlines())

    def states() -> list[str]:
        return engine("exec", container, "ps", "ax", "-o", "stat=,args=").stdout.splitlines()

    wait_until(lambda: not [line for line in states() if "sleep 0.2" in line or line[0] == "Z"])
    assert [line for line in states() if f"sleep {FOREVER}" in line]
    engine("rm", "--force", container)


def test_restart_policy(engine: Engine, tmp_path: Path) -> None:
    """A container that fails is started again as often as it was asked for."""
    volume = f"--volume={tmp_path}:/v"
    container = engine.container(
        "run",
        "-d",
        "--restart=on-failure:2",
        volume,
        DEBIAN,
        "sh",
        "-c",
        "echo x >> /v/runs; exit 1",
    ).stdout.strip()
    end = time.monotonic() + 30 * PATIENCE
    runs = tmp_path / "runs"
    while not runs.exists() or len(runs.read_text()) < len("x\n") * 3:
        assert time.monotonic() < end
        time.sleep(0.1)
    engine("rm", "--force", container)


def test_healthcheck(engine: Engine) -> None:
    """A health check is an exec of the engine's, and its status decides."""
    for command, wanted in (("test -e /etc/passwd", "healthy"), ("exit 3", "unhealthy")):
        container = engine.container(
            "run", "-d", f"--health-cmd={command}", "--health-interval=1s", "--health-retries=1",
            DEBIAN, "sleep", FOREVER,
        ).stdout.strip()  # fmt: skip
        end = time.monotonic() + 30 * PATIENCE
        found = ""
        while found != wanted:
            assert time.monotonic() < end, found
            time.sleep(0.3)
            if engine.words("")[0] != "docker":  # without systemd, podman has no timers
                engine("healthcheck", "run", container)
            found = engine(
                "inspect", "--format={{.State.Health.Status}}", container
            ).stdout.strip()
        engine("rm", "--force", container)
