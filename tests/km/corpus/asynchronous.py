# SPDX-License-Identifier: Apache-2.0
"""asyncio: servers and clients, subprocesses, signals, threads, timeouts."""

import asyncio
import os
import signal
import sys


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes."""
    while chunk := await reader.read(1000):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def ask(port: int, number: int) -> int:
    """Send a megabyte's part and count what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"%d" % (number % 10) * 20_000)
    writer.write_eof()
    return len(await reader.read(-1))


async def main() -> None:
    """Do all of it in one loop."""
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(sum(await asyncio.gather(*(ask(port, n) for n in range(60)))))
    server.close()

    child = await asyncio.create_subprocess_exec(
        "tr", "a-z", "A-Z", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    print(await child.communicate(b"from a child\n"), child.returncode)
    children = [await asyncio.create_subprocess_shell(f"exit {n}") for n in range(10)]
    print([await child.wait() for child in children])

    came = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, came.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(came.wait(), 10)
    print("signal")
    try:
        await asyncio.wait_for(asyncio.sleep(100), 0.05)
    except asyncio.TimeoutError:
        print("too long")
    print(await asyncio.gather(*(loop.run_in_executor(None, pow, n, 2) for n in range(10))))


asyncio.run(main())
sys.exit(4)
