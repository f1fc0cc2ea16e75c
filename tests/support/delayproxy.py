#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A long way to a host: passes TCP connections on and delays what goes either way by half of the round trip.

delayproxy.py MS ADDRESS:PORT   prints the port of 127.0.0.1 that it listens on; ends with SIGTERM.
"""

import asyncio
import signal
import sys

PIECE = 65536


async def pump(reader, writer, delay):
    """Each piece goes on its own time after it came, so that many can be on the way."""
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()

    async def deliver():
        while (item := await queue.get()) is not None:
            due, data = item
            await asyncio.sleep(max(0, due - loop.time()))
            writer.write(data)
            await writer.drain()
        writer.close()

    delivering = asyncio.ensure_future(deliver())
    try:
        while data := await reader.read(PIECE):
            queue.put_nowait((loop.time() + delay, data))
    except OSError:
        pass
    queue.put_nowait(None)
    try:
        await delivering
    except OSError:
        pass


async def serve(delay, host, port):
    async def connection(reader, writer):
        try:
            # A TCP handshake takes one round trip as well.
            await asyncio.sleep(2 * delay)
            up_reader, up_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, up_writer, delay), pump(up_reader, writer, delay))

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()


def main():
    if len(sys.argv) != 3 or not sys.argv[1].isdigit() or ":" not in sys.argv[2]:
        sys.exit(__doc__)
    host, port = sys.argv[2].rsplit(":", 1)
    asyncio.run(serve(int(sys.argv[1]) / 2000, host, int(port)))


main()
