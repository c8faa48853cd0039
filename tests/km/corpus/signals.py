# SPDX-License-Identifier: Apache-2.0
"""Signals: handlers, masks, timers, waiting for them, broken-off calls, and death by them."""

import faulthandler
import os
import select
import signal
import subprocess
import sys
import threading
import time

seen = []


def note(signo: int, _frame: object) -> None:
    """Write down which signal came."""
    seen.append(signal.Signals(signo).name)


for each in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGCHLD, signal.SIGWINCH):
    signal.signal(each, note)

os.kill(os.getpid(), signal.SIGUSR1)
signal.raise_signal(signal.SIGUSR2)
print(seen)

seen.clear()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
os.kill(os.getpid(), signal.SIGUSR1)
print(seen, signal.sigpending())
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
print(seen)

seen.clear()
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
end = time.monotonic() + 10
while len(seen) < 10 and time.monotonic() < end:
    time.sleep(1)  # which Python begins again after each
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(seen) >= 10)

signal.setitimer(signal.ITIMER_VIRTUAL, 0)
signal.signal(signal.SIGVTALRM, note)
seen.clear()
signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)
end = time.monotonic() + 10
while not seen and time.monotonic() < end:
    pass  # a signal reaches a thread that makes no system call
print(seen)

queue = {signal.SIGRTMIN, signal.SIGRTMIN + 3}
signal.pthread_sigmask(signal.SIG_BLOCK, queue)
for number in (3, 0, 3, 0):
    os.kill(os.getpid(), signal.SIGRTMIN + number)
print([signal.sigwaitinfo(queue).si_signo - signal.SIGRTMIN for _ in range(4)])
print(signal.sigtimedwait(queue, 0.02))

reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
thread = threading.Thread(
    target=lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2)
)
thread.start()
print(select.select([reader], [], [], 10)[0] == [reader], os.read(reader, 10)[0] == signal.SIGUSR2)
thread.join()
signal.set_wakeup_fd(-1)

seen.clear()
subprocess.run(["true"], check=True)
print(seen)

for signo in sorted(signal.valid_signals() - {19, 20, 21, 22, 32, 33}):
    done = subprocess.run(
        ["sh", "-c", f"ulimit -c 0; kill -{int(signo)} $$"], stderr=subprocess.DEVNULL, check=False
    )
    print(int(signo), done.returncode, end="; ")
print()

for crash in ("_sigsegv", "_sigabrt", "_sigfpe", "_stack_overflow"):
    code = f"import faulthandler; faulthandler.enable(); faulthandler.{crash}()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    print(crash, done.returncode, done.stderr.splitlines()[0])
print(faulthandler.is_enabled())
signal.signal(signal.SIGALRM, signal.SIG_DFL)
sys.stdout.flush()
signal.alarm(1)
signal.pause()
