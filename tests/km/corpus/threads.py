# SPDX-License-Identifier: Apache-2.0
"""Hundreds of threads, every way in which they wait for each other, and an end while some block."""

import concurrent.futures
import os
import queue
import threading
import time

THREADS = 200

total, lock = 0, threading.Lock()
local = threading.local()


def count(number: int) -> None:
    """Add to a sum that all share, and keep something of one's own."""
    global total
    local.number = number
    for _ in range(50):
        with lock:
            total += 1
    assert local.number == number


threads = [threading.Thread(target=count, args=(n,)) for n in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("sum", total)

barrier = threading.Barrier(THREADS)
met: "queue.Queue[int]" = queue.Queue()
threads = [threading.Thread(target=lambda: met.put(barrier.wait(60))) for _ in range(THREADS)]
for thread in threads:
    thread.start()
print("met", sorted(met.get() for _ in range(THREADS)) == list(range(THREADS)))
for thread in threads:
    thread.join()

with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print("squares", sum(pool.map(lambda n: n * n, range(2000))))

condition, turns = threading.Condition(), []


def take_turns(mine: int) -> None:
    """Write down one's number when it is one's turn."""
    for _ in range(100):
        with condition:
            condition.wait_for(lambda: len(turns) % 4 == mine)
            turns.append(mine)
            condition.notify_all()


threads = [threading.Thread(target=take_turns, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("turns", turns == [0, 1, 2, 3] * 100)
print("ids", len({os.getpid(), threading.get_native_id()}), threading.active_count())

start = time.monotonic()
print("timed out", threading.Event().wait(0.05), time.monotonic() - start >= 0.05)
while (tasks := len(os.listdir("/proc/self/task"))) > 1 and time.monotonic() - start < 60:
    time.sleep(0.001)  # a thread is joined before the kernel has counted it out
print("tasks", tasks)

reader, _writer = os.pipe()
for blocked in (lambda: os.read(reader, 1), lambda: time.sleep(1000), threading.Event().wait):
    threading.Thread(target=blocked, daemon=True).start()
time.sleep(0.05)
print("the end", flush=True)
