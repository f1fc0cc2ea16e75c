#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many idle hosts for the price of one process: unix sockets that replay what a real engine answered.

  fakefleet.py record --upstream SOCKET --out FILE    asks a real engine all that can be listed and inspected
  fakefleet.py serve --answers FILE --dir DIR --count N [--log FILE]    DIR/h1.sock ... DIR/hN.sock answer so

Replayed by method and path, without the version prefix and the query; HEAD as GET without a body. /events stays open and says
nothing until a line is written to DIR/hN.event, a FIFO: the line goes out as an event. Each host has an engine ID of its
own. What was not recorded is a 404, as on a real engine; nothing changes anything. Not for tests of behaviour: those have real engines.
"""

import argparse
import asyncio
import json
import os
import re
import resource
import signal
import time

from unixhttp import UnixConnection

VERSION_PREFIX = re.compile(r"^/v\d+\.\d+(?=/)")
# What is inspected: the list, the field of it that holds the array, the field that names an object, the path.
INSPECTED = (
    ("/containers/json?all=1", None, "Id", "/containers/{}/json"),
    ("/images/json", None, "Id", "/images/{}/json"),
    ("/networks", None, "Id", "/networks/{}"),
    ("/volumes", "Volumes", "Name", "/volumes/{}"),
)


def plain_path(target):
    return VERSION_PREFIX.sub("", target.split("?")[0])


def record(options):
    connection = UnixConnection(options.upstream)
    answers = {}

    def ask(target):
        connection.request("GET", target)
        reply = connection.getresponse()
        body = reply.read().decode()
        headers = {key: value for key, value in reply.getheaders() if key not in ("Content-Length", "Transfer-Encoding", "Date")}
        answers[plain_path(target)] = {"status": reply.status, "headers": headers, "body": body}
        return body

    for target in ("/_ping", "/version", "/info"):
        ask(target)
    for listed, array, key, inspect in INSPECTED:
        found = json.loads(ask(listed))
        for item in (found[array] if array else found) or []:
            path = inspect.format(item[key])
            ask(path)
            # An image is asked for by its names, a container or a network by its own.
            names = item.get("RepoTags") or item.get("Names") or [item.get("Name", item[key])]
            for name in names:
                answers[inspect.format(name.lstrip("/"))] = answers[path]
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(answers, file)


class Host:
    def __init__(self, name, answers, log):
        self.name, self.answers, self.log_file = name, answers, log
        self.listeners = set()
        # One engine under many names would be refused.
        self.engine_id = json.loads(answers["/info"]["body"])["ID"]

    def log(self, method, target):
        if self.log_file:
            line = {"host": self.name, "t_us": time.monotonic_ns() // 1000, "wall_us": time.time_ns() // 1000}
            self.log_file.write(json.dumps({**line, "method": method, "target": target}) + "\n")
            self.log_file.flush()

    async def connection(self, reader, writer):
        try:
            while True:
                raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target = raw.split(" ", 2)[:2]
                length = re.search(r"(?i)\r\ncontent-length: *(\d+)", raw)
                if length:
                    await reader.readexactly(int(length[1]))
                self.log(method, target)
                if plain_path(target) == "/events":
                    await self.events(reader, writer)
                    return
                self.answer(method, plain_path(target), writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def answer(self, method, path, writer):
        lost = {"status": 404, "headers": {"Content-Type": "application/json"}, "body": '{"message":"page not found"}'}
        found = self.answers.get(path, lost) if method in ("GET", "HEAD") else lost
        body = found["body"].replace(self.engine_id, f"{self.engine_id}:{self.name}").encode()
        lines = [f"HTTP/1.1 {found['status']} Replayed"]
        lines += [f"{key}: {value}" for key, value in found["headers"].items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        writer.write("\r\n".join(lines).encode() + (b"" if method == "HEAD" else body))

    async def events(self, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.listeners.add(writer)
        try:
            await reader.read()
        finally:
            self.listeners.discard(writer)

    def tell(self, event):
        for writer in self.listeners:
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))

    def open_events(self, path):
        """Reads the FIFO of this host's events; opened for writing too, so that it never ends."""
        os.mkfifo(path)
        pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(pipe, lambda: self.tell(os.read(pipe, 65536)))


async def serve(options):
    with open(options.answers, encoding="utf-8") as file:
        answers = json.load(file)
    with open(options.log or os.devnull, "a", encoding="utf-8") as log:
        paths = []
        for number in range(1, options.count + 1):
            host = Host(f"h{number}", answers, log if options.log else None)
            paths += [f"{options.dir}/h{number}.sock", f"{options.dir}/h{number}.event"]
            for path in paths[-2:]:
                if os.path.lexists(path):
                    os.unlink(path)
            await asyncio.start_unix_server(host.connection, paths[-2])
            host.open_events(paths[-1])
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        print("listening", flush=True)
        await stop.wait()
        for path in paths:
            os.unlink(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record")
    recorder.add_argument("--upstream", required=True, metavar="SOCKET")
    recorder.add_argument("--out", required=True, metavar="FILE")
    server = commands.add_parser("serve")
    server.add_argument("--answers", required=True, metavar="FILE")
    server.add_argument("--dir", required=True)
    server.add_argument("--count", type=int, required=True)
    server.add_argument("--log", metavar="FILE")
    options = parser.parse_args()
    if options.command == "record":
        record(options)
        return
    # A socket and a FIFO a host, and two connections at least.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.makedirs(options.dir, exist_ok=True)
    asyncio.run(serve(options))


main()
