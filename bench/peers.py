# SPDX-License-Identifier: Apache-2.0
"""Measure Kontain and its peers in one run: native, runc, crun, gVisor and krun over runc.

Each round does each line by each way in turn, so that a busy machine disturbs all alike; a figure is
the best of the rounds, and ratios are to native. Needs root, KVM, and of the host: redis, nginx,
wrk, node, sqlite3, gcc. Files are in memory; servers are asked by clients of the host.
The table goes to standard output, the figures to a JSON file, which bench/record.py puts into the
documents.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import machine
import tables
from peer import Peer, peers

TYPE_CHECKING = False
ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build" / "bench"
PORT = 7717
TRIES = 6  # gVisor's sandbox ends now and then before its program
NGINX = """daemon off; master_process off; error_log /dev/null; pid {data}/nginx.pid;
events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{port}; root {data}; }} }}
"""
SQL = "CREATE TABLE t(a);" + "BEGIN; INSERT INTO t VALUES(1); COMMIT;" * 300
SERVICES = {
    "idle Python service": ["/usr/bin/python3", "-c",
        "import asyncio, http.server, json, ssl, time; print('ready', flush=True); time.sleep(1e6)"],
    "idle Node service": ["/usr/bin/node", "-e",
        "require('http').createServer().listen(0, '127.0.0.1', () => console.log('ready'))"],
}  # fmt: skip
MAKE = "all: $(patsubst %.c,%.o,$(wildcard *.c))\n%.o: %.c\n\tgcc -O1 -c $< -o $@\n"
SOURCE = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f(int x) { return x * 3; }\n"

if TYPE_CHECKING:
    from collections.abc import Callable

    Figures = dict[str, dict[str, float]]
    Take = Callable[[Peer], dict[str, float]]


def prepare(data: Path) -> dict[str, list[str]]:
    """Write what programs work on to DATA; return the programs that are timed in a container."""
    (data / "commits.sql").write_text(SQL)
    (data / "index.html").write_text("hello\n")
    (data / "nginx.conf").write_text(NGINX.format(data=data, port=PORT + 1))
    (data / "src").mkdir()
    (data / "src" / "Makefile").write_text(MAKE)
    for number in range(12):
        (data / "src" / f"f{number}.c").write_text(SOURCE)
    sqlite = f"rm -f {data}/t.db && sqlite3 {data}/t.db <{data}/commits.sql"
    build = f"rm -f {data}/src/*.o && make -s -j2 -C {data}/src"
    return {
        "find /usr/include": ["/usr/bin/find", "/usr/include"],
        "sqlite, 300 commits": ["/bin/sh", "-c", sqlite],
        "python start": ["/usr/bin/python3", "-c", "pass"],
        "node start": ["/usr/bin/node", "-e", "0"],
        "make -j2, 12 files": ["/bin/sh", "-c", build],
    }


def wait_for(port: int) -> None:
    """Wait until a server listens on PORT.

    Raises:
        RuntimeError: it does not within half a minute.
    """
    end = time.monotonic() + 30
    while socket.socket().connect_ex(("127.0.0.1", port)):
        if time.monotonic() > end:
            raise RuntimeError(f"no server on port {port}")
        time.sleep(0.05)


def start_to_end(peer: Peer) -> dict[str, float]:
    """Return the milliseconds of a container that does nothing."""
    command = peer.command(["/bin/true"])
    begin = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return {"start to end, true (ms)": (time.perf_counter() - begin) * 1e3}


def calls(peer: Peer) -> dict[str, float]:
    """Return the microseconds of each kind of system call."""
    lines = peer.output([str(PROGRAMS / "calls"), "3"]).splitlines()
    return {f"{name} (us)": float(ns) / 1e3 for name, ns in (line.split() for line in lines)}


def program(peer: Peer, name: str, command: list[str]) -> dict[str, float]:
    """Return the milliseconds of a program that is started within a container, the best of three."""
    times = peer.output([str(PROGRAMS / "spawn"), "3", "--", *command]).split()
    return {f"{name} (ms)": min(map(float, times)) / 1e3}


def redis(peer: Peer) -> dict[str, float]:
    """Return the microseconds of a request by 20 clients of the host."""
    server = ["/usr/bin/redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--save", ""]
    ask = ["redis-benchmark", "-p", str(PORT), "-c", "20", "-n", "20000", "-t", "set,get", "--csv"]
    with peer.service(server):
        wait_for(PORT)
        said = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    rows = [line.replace('"', "").split(",") for line in said.splitlines()[1:]]
    return {f"redis {row[0]} (us)": 1e6 / float(row[1]) for row in rows}


def nginx(peer: Peer) -> dict[str, float]:
    """Return the microseconds of a request by 20 connections of the host."""
    server = ["/usr/sbin/nginx", "-c", str(peer.data / "nginx.conf")]
    with peer.service(server):
        wait_for(PORT + 1)
        said = subprocess.run(
            ["wrk", "-t1", "-c20", "-d2s", f"http://127.0.0.1:{PORT + 1}/index.html"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    (rate,) = (line.split()[1] for line in said.splitlines() if line.startswith("Requests/sec"))
    return {"nginx request (us)": 1e6 / float(rate)}


def memory(peer: Peer) -> dict[str, float]:
    """Return the MiB of the host that one more of each idle service takes."""
    return {
        f"{name} (MiB)": peer.bytes_of_idle(command, 2, 6) / (1 << 20)
        for name, command in SERVICES.items()
    }


def try_once(take: Take, peer: Peer) -> dict[str, float]:
    """Return what TAKE measures; report its failure, and nothing."""
    try:
        return take(peer)
    except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as reason:
        print(f"peers: {peer.name}: failed: {reason}", file=sys.stderr)
        return {}


def measure(ways: list[Peer], rounds: int) -> Figures:
    """Return the best figure of each line by each way; leave out those that fail."""
    timed = [
        functools.partial(program, name=name, command=command)
        for name, command in prepare(ways[0].data).items()
    ]
    figures: dict[str, dict[str, float]] = {}
    often: list[Take] = [start_to_end, calls, *timed, redis, nginx]
    for number in range(rounds):
        for take in [*often, memory] if number == 0 else often:
            for peer in ways:
                tries = (try_once(take, peer) for _ in range(TRIES))
                for line, value in next(filter(None, tries), {}).items():
                    best = figures.setdefault(line, {})
                    best[peer.name] = min(value, best.get(peer.name, value))
    return figures


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure Kontain and its peers; needs root.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runsc", type=Path, help="gVisor's program, such as Debian trixie's")
    parser.add_argument("--output", type=Path, default=PROGRAMS / "peers.json", help="JSON file")
    options = parser.parse_args()
    subprocess.run(["make", "-s", "-C", ROOT / "bench"], check=True)
    path = os.environ["PATH"]
    os.environ.clear()  # as in the containers: node for one does more by what it finds there
    os.environ["PATH"] = path
    with peers(options.runsc) as ways:
        versions = {peer.name: peer.version() for peer in ways}
        figures = measure(ways, options.rounds)
    results = {"machine": machine.facts(), "versions": versions, "figures": figures}
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    print(tables.peers(figures, list(versions)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
