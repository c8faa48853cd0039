# SPDX-License-Identifier: Apache-2.0
"""Count primes by a pool of processes, each of which is a fork in a virtual machine of its own."""

import os
from multiprocessing import Pool

WORKERS, STEP, END = 4, 2_500, 20_000


def count_primes(start: int) -> int:
    """Return how many primes there are from START on, in one step."""
    numbers = range(max(start, 2), start + STEP)
    return sum(all(number % one for one in range(2, int(number**0.5) + 1)) for number in numbers)


if __name__ == "__main__":
    with Pool(WORKERS) as pool:
        counts = pool.map(count_primes, range(0, END, STEP), chunksize=1)
    print(f"{sum(counts)} primes below {END}, by {WORKERS} workers on {os.uname().release}")
