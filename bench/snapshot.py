# SPDX-License-Identifier: Apache-2.0
"""Measure the gain of a snapshot: programs on the host, in km, and resumed; print a table.

Each program imports what takes long, says that it is ready, and ends. All are started in turn, with
their files in the page cache. Figures are medians in milliseconds, from before a command is started
until it has ended, and of the CPU's time that it took, with the ratio to the native start.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

KM = Path(__file__).resolve().parents[1] / "build" / "km" / "km"

PYTHON = """
import asyncio, email, http.client, http.server, json, logging, sqlite3, ssl, sys, unittest
try:
    open("/proc/kontain/snapshot").close()
except FileNotFoundError:
    pass
print("ready")
"""

NODE = """
for (const name of ["http", "https", "crypto", "zlib", "net", "stream"]) require(name);
try { require("fs").readFileSync("/proc/kontain/snapshot"); } catch (error) {}
console.log("ready");
"""

JAVA = """
import java.nio.file.*;

public class Ready {
    public static void main(String[] arguments) throws Exception {
        java.time.ZonedDateTime.now().toString();
        java.util.regex.Pattern.compile("a+b").matcher("aab").matches();
        try {
            Files.readAllBytes(Path.of("/proc/kontain/snapshot"));
        } catch (NoSuchFileException error) {
        }
        System.out.println("ready");
    }
}
"""


def programs(folder: Path) -> dict[str, list[str]]:
    """Write the programs that this host can run into FOLDER: their commands, by name."""
    found: dict[str, list[str]] = {}
    (folder / "ready.py").write_text(PYTHON)
    found["Python"] = ["/usr/bin/python3", str(folder / "ready.py")]
    node, java = shutil.which("node"), shutil.which("java")
    if node:
        (folder / "ready.js").write_text(NODE)
        found["Node.js"] = [node, str(folder / "ready.js")]
    if java and shutil.which("javac"):
        (folder / "Ready.java").write_text(JAVA)
        subprocess.run(["javac", "Ready.java"], cwd=folder, check=True)
        java = str(Path(java).resolve())
        found["Java"] = [java, "-XX:-UsePerfData", "-Xmx64m", "-cp", str(folder), "Ready"]
    return found


def took_ms(command: list[str]) -> tuple[float, float]:
    """Run COMMAND: the milliseconds until it ended, and those of the CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or done.stdout != "ready\n":
        raise SystemExit(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken * 1e3, cpu * 1e3


def ways(command: list[str], snapshot: Path) -> dict[str, list[str]]:
    """Write COMMAND's SNAPSHOT, and return the three ways to start it."""
    subprocess.run(
        [str(KM), "--snapshot", str(snapshot), *command], stdin=subprocess.DEVNULL, check=True
    )
    return {"native": command, "km": [str(KM), *command], "resumed": [str(KM), str(snapshot)]}


def measure(name: str, command: list[str], folder: Path, rounds: int) -> None:
    """Print a line for each way to start a program."""
    times: dict[str, list[tuple[float, float]]] = {}
    started = ways(command, folder / f"{name}.kmsnap")
    for _ in range(rounds):
        for way, words in started.items():
            times.setdefault(way, []).append(took_ms(words))
    base = [statistics.median(column) for column in zip(*times["native"])]
    for way, taken in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*taken))
        print(
            f"{name:8} {way:8} {wall:8.1f} ms  {wall / base[0]:5.2f} x"
            f"   CPU {cpu:8.1f} ms  {cpu / base[1] if base[1] else 0:5.2f} x"
        )
    size = (folder / f"{name}.kmsnap").stat().st_size
    print(f"{name:8} {'snapshot':8} {size / 2**20:8.1f} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what a snapshot saves.")
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        for program, command in programs(Path(name)).items():
            measure(program, command, Path(name), rounds)


if __name__ == "__main__":
    main()
