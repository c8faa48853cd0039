# SPDX-License-Identifier: Apache-2.0
"""Processes as Python starts them: subprocess, fork, every start method of multiprocessing."""

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing import shared_memory


def square(number: int) -> int:
    """Return the square, computed in another process."""
    return number * number


def fill(name: str) -> None:
    """Write into memory that the parent made."""
    memory = shared_memory.SharedMemory(name)
    memory.buf[:5] = b"hello"
    memory.close()


def start_methods() -> None:
    """Run a pool, a queue, an event and shared memory, by each start method."""
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        with context.Pool(3) as pool:
            print(method, pool.map(square, range(8)))
        memory = shared_memory.SharedMemory(create=True, size=100)
        child = context.Process(target=fill, args=(memory.name,))
        child.start()
        child.join()
        print(method, child.exitcode, bytes(memory.buf[:5]))
        memory.close()
        memory.unlink()
        ours, theirs = context.Pipe()
        child = context.Process(target=theirs.send, args=({"a": [1, 2]},))
        child.start()
        print(method, ours.recv())
        child.join()


def statuses() -> None:
    """Tell of children that end, die, stop, and are waited for in each way."""
    for end in ("exit 0", "exit 3", "kill -9 $$", "kill -TERM $$", "ulimit -c 0; kill -ABRT $$"):
        print(end, subprocess.run(["sh", "-c", end], check=False).returncode)
    pid = os.fork()
    if not pid:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(7)
    _, status = os.waitpid(pid, os.WUNTRACED)
    print("stopped", os.WIFSTOPPED(status) and os.WSTOPSIG(status))
    os.kill(pid, signal.SIGCONT)
    info = os.waitid(os.P_PID, pid, os.WEXITED)
    print("ended", info and (info.si_code, info.si_status, info.si_pid == pid))
    try:
        os.waitpid(-1, 0)
    except ChildProcessError as error:
        print(error)


def pipes() -> None:
    """Talk to children over pipes, end them by time, and give them descriptors and settings."""
    text = b"b\na\n" * 50_000
    print(len(subprocess.run(["sort"], input=text, capture_output=True, check=True).stdout))
    first = subprocess.Popen(["seq", "20000"], stdout=subprocess.PIPE)
    second = subprocess.run(["wc", "-l"], stdin=first.stdout, capture_output=True, check=True)
    print(first.wait(), second.stdout)
    try:
        subprocess.run(["sleep", "100"], timeout=0.2, check=True)
    except subprocess.TimeoutExpired:
        print("too long")
    reader, writer = os.pipe()
    subprocess.run(["sh", "-c", f"echo here >&{writer}"], pass_fds=[writer], check=True)
    print(os.read(reader, 100))
    shown = "import os; print(os.getcwd(), os.environ.get('X'), os.getsid(0) == os.getpid())"
    done = subprocess.run([sys.executable, "-c", shown], cwd="/", env={"X": "y"}, check=True,
                          start_new_session=True, capture_output=True)  # fmt: skip
    print(done.stdout)
    done = subprocess.run(
        ["sh", "-c", "umask; exit 5"], preexec_fn=lambda: os.umask(0o077) and None, check=False
    )
    print(done.returncode, os.popen("echo popen").read())
    for wrong in (["/no/such/program"], ["/"], ["/etc/passwd"]):
        try:
            subprocess.run(wrong, check=True)
        except OSError as error:
            print(error)
    print(os.posix_spawn("/bin/true", ["true"], {}) > 0, os.wait()[1], os.system("exit 9"))


def storm() -> None:
    """Fork a hundred children at a time."""
    for _ in range(2):
        children = []
        for number in range(100):
            pid = os.fork()
            if not pid:
                os._exit(number)
            children.append(pid)
        print(sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))


if __name__ == "__main__":
    for part in (statuses, pipes, storm, start_methods):
        part()
        sys.stdout.flush()
