#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands between a client and a real engine's unix socket and does to its replies what the rules say.

A rule is one string:  METHOD PATH-REGEX [nth=N|nth=N-|nth=N-M] ACTION...
METHOD may be "*"; the regular expression is searched in the request's target, query included. nth counts the matching
requests from 1; without it the rule holds for each. The first rule that matches and is due is taken. Actions:

  cut=BYTES        send only that many bytes of the reply's body, then close (the head is sent whole)
  cut_head=BYTES   send only that many bytes of the reply's head, then close
  reply=STATUS     do not ask the engine; answer with this status, body= and type= (application/json)
  body=TEXT        the body of reply=
  delay_ms=N       wait so long before the request is passed on
  hang=1           pass nothing on and answer nothing until the client goes
  drop=before      close without asking the engine
  drop=after       let the engine do it, then close without a word of its reply
  kill=before      as drop=, and SIGKILL to the process whose number is in the --victim file
  kill=after
  hangup=before    as drop=, and SIGKILL to the process at the other end of the connection: the sshd of a client that
  hangup=after     comes over SSH, all of whose channels break
  after=1          with reply=: let the engine do it, and only then answer so
  slow_ms=N        wait so long before each piece of the reply's body
  header=NAME:V    set a header of the reply
  set=PATH=JSON    set a field of a JSON reply, e.g. set=ApiVersion="1.24" or set=0.State="running"

The log has a JSON object a line. "request": when its head had been read; "reply": when its last byte had been sent;
"piece": a piece of a reply of /events. "t_us" is the monotonic clock, "wall_us" the wall's. With --bodies also "sent" and
"answered": the bodies of a request and of its reply, in base64.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import shlex
import signal
import socket
import struct
import sys
import time

PIECE = 65536
LARGEST_HEAD = 1 << 20
ACTIONS = ("cut", "cut_head", "reply", "after", "delay_ms", "hang", "slow_ms")


class Rule:
    def __init__(self, text):
        words = shlex.split(text)
        if len(words) < 3:
            raise ValueError(f"rule {text!r}: METHOD PATH-REGEX ACTION... expected")
        self.text = text
        self.method, self.path = words[0], re.compile(words[1])
        self.first, self.last, self.seen = 1, None, 0
        self.actions, self.headers, self.fields = {}, [], []
        for word in words[2:]:
            name, _, value = word.partition("=")
            if name == "nth":
                first, dash, last = value.partition("-")
                self.first = int(first)
                self.last = int(last) if last else None if dash else self.first
            elif name == "header":
                self.headers.append(tuple(value.split(":", 1)))
            elif name == "set":
                path, _, new = value.partition("=")
                self.fields.append((path.split("."), json.loads(new)))
            elif name in ("body", "type"):
                self.actions[name] = value
            elif name in ("drop", "kill", "hangup"):
                if value not in ("before", "after"):
                    raise ValueError(f"rule {text!r}: {name}=before or {name}=after expected")
                self.actions[name] = self.actions["drop"] = value
            elif name in ACTIONS:
                self.actions[name] = int(value)
            else:
                raise ValueError(f"rule {text!r}: unknown action {name!r}")

    def take(self, method, target):
        if self.method not in ("*", method) or not self.path.search(target):
            return False
        self.seen += 1
        return self.first <= self.seen and (self.last is None or self.seen <= self.last)

    def get(self, name, otherwise=None):
        return self.actions.get(name, otherwise)


NO_RULE = Rule("- - delay_ms=0")


def set_field(value, path, new):
    for key in path[:-1]:
        value = value[int(key) if isinstance(value, list) else key]
    key = path[-1]
    value[int(key) if isinstance(value, list) else key] = new


class Head:
    """The first line and the headers of a message."""

    def __init__(self, raw):
        lines = raw.decode("latin-1").split("\r\n")
        self.first = lines[0]
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if ":" in line]

    def get(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return ""

    def put(self, name, value):
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def chunked(self):
        return "chunked" in self.get("transfer-encoding").lower()

    def status(self):
        return int(self.first.split(" ")[1])

    def hijacked(self):
        """Whether the connection is a plain stream, both ways, from here on: attach and exec."""
        raw = "vnd.docker.raw-stream" in self.get("content-type")
        return self.status() == 101 or (raw and not self.chunked() and not self.get("content-length"))

    def encode(self):
        lines = [self.first] + [f"{key}: {value}" for key, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader):
    try:
        return Head(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise ConnectionError("the peer left in the middle of a head") from error


async def pieces(reader, head, until_close):
    """Yields (bytes as they stood on the wire, bytes of the body among them)."""
    if head.chunked():
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                trailer = await reader.readuntil(b"\r\n")
                while trailer[-4:] != b"\r\n\r\n" and trailer != b"\r\n":
                    trailer += await reader.readuntil(b"\r\n")
                yield line + trailer, b""
                return
            data = await reader.readexactly(size + 2)
            yield line + data, data[:-2]
    elif head.get("content-length"):
        left = int(head.get("content-length"))
        while left:
            data = await reader.read(min(left, PIECE))
            if not data:
                raise ConnectionError("the peer left in the middle of a body")
            left -= len(data)
            yield data, data
    elif until_close:
        while data := await reader.read(PIECE):
            yield data, data


async def copy(reader, writer):
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (ConnectionError, OSError):
        pass


class Dropped(Exception):
    """The connection is to be closed: a rule says so, or nothing can follow."""


class ClientProtocol(asyncio.StreamReaderProtocol):
    """Knows at once when the client leaves: the engine gives up a pull, or an event stream, when it does."""

    def __init__(self, client_connected):
        loop = asyncio.get_running_loop()
        super().__init__(asyncio.StreamReader(limit=LARGEST_HEAD, loop=loop), client_connected, loop=loop)
        self.gone = asyncio.Event()

    def eof_received(self):
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc):
        self.gone.set()
        super().connection_lost(exc)


async def unless_gone(gone, work):
    work, gone = asyncio.ensure_future(work), asyncio.ensure_future(gone.wait())
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Dropped
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


async def read_reply_head(up_reader, writer):
    reply = await read_head(up_reader)
    while reply and reply.status() < 200 and reply.status() != 101:
        writer.write(reply.encode())
        reply = await read_head(up_reader)
    if reply is None:
        raise Dropped
    return reply


def loses_answer(rule):
    """Whether the engine's answer ends here, once it is whole."""
    return rule.get("drop") == "after" or rule.get("after")


def peer_of(writer):
    """The process at the other end of a unix socket."""
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


class Proxy:
    def __init__(self, upstream, rules, log, bodies=False, victim=None):
        self.upstream, self.rules, self.log_file, self.bodies = upstream, rules, log, bodies
        self.victim = victim  # the number of the process that kill= means
        self.requests = 0
        self.connections = 0

    def log(self, event, **fields):
        if self.log_file:
            record = {"event": event, "t_us": time.monotonic_ns() // 1000, "wall_us": time.time_ns() // 1000, **fields}
            self.log_file.write(json.dumps(record) + "\n")
            self.log_file.flush()

    def log_body(self, event, number, body):
        if self.bodies and body:
            self.log(event, number=number, body=base64.b64encode(body).decode())

    async def connection(self, reader, writer):
        self.connections += 1
        number = self.connections
        up = None
        try:
            while (head := await read_head(reader)) is not None:
                if up is None:
                    up = await asyncio.open_unix_connection(self.upstream, limit=LARGEST_HEAD)
                await self.exchange(number, head, reader, writer, *up)
        except (Dropped, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            for end in (writer, up[1] if up else None):
                if end:
                    end.close()

    async def exchange(self, connection, head, reader, writer, up_reader, up_writer):
        method, target = head.first.split(" ")[:2]
        self.requests += 1
        number = self.requests
        # Each rule counts each request that it matches, whichever rule is taken in the end.
        due = [rule for rule in self.rules if rule.take(method, target)]
        rule = due[0] if due else NO_RULE
        about = {"number": number, "connection": connection, "method": method, "target": target}
        self.log("request", **about, rule=None if rule is NO_RULE else rule.text)

        if rule.get("delay_ms"):
            await asyncio.sleep(rule.get("delay_ms") / 1000)
        if rule.get("hang"):
            await reader.read()
            raise Dropped
        if rule.get("drop") == "before":
            self.drop(rule, about, writer)
        if rule.get("reply") and not rule.get("after"):
            async for _ in pieces(reader, head, False):
                pass
            await self.invented(rule, about, writer)
            return

        up_writer.write(head.encode())
        sending = asyncio.ensure_future(self.send_body(number, head, reader, up_writer))
        gone = writer.transport.get_protocol().gone
        try:
            reply = await unless_gone(gone, read_reply_head(up_reader, writer))
            if reply.hijacked() and not loses_answer(rule):
                await sending
                await self.stream(about, reply, reader, writer, up_reader, up_writer)
                raise Dropped
            await unless_gone(gone, self.pass_reply(rule, about, head, reply, writer, up_reader))
        finally:
            if not sending.done():
                sending.cancel()
            elif not sending.cancelled():
                sending.exception()  # the client has left, which shows elsewhere
        if reply.get("connection").lower() == "close" or head.get("connection").lower() == "close":
            raise Dropped

    def drop(self, rule, about, writer):
        try:
            if rule.get("kill"):
                os.kill(self.victim(), signal.SIGKILL)
            if rule.get("hangup"):
                os.kill(peer_of(writer), signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.log("reply", **about, status=0, bytes=0)
        raise Dropped

    async def send_body(self, number, head, reader, up_writer):
        body = b""
        async for raw, data in pieces(reader, head, False):
            if self.bodies:
                body += data
            up_writer.write(raw)
            await up_writer.drain()
        await up_writer.drain()
        self.log_body("sent", number, body)

    async def invented(self, rule, about, writer):
        body = rule.get("body", '{"message":"refused by a rule"}').encode()
        kind = rule.get("type", "application/json")
        head = Head(f"HTTP/1.1 {rule.get('reply')} Invented\r\nContent-Type: {kind}".encode())
        head.put("Content-Length", str(len(body)))
        for name, value in rule.headers:
            head.put(name, value)
        writer.write(head.encode() + (b"" if about["method"] == "HEAD" else body))
        await writer.drain()
        self.log("reply", **about, status=rule.get("reply"), bytes=len(body))

    async def stream(self, about, reply, reader, writer, up_reader, up_writer):
        writer.write(reply.encode())
        await writer.drain()
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))
        self.log("reply", **about, status=reply.status(), bytes=0)

    async def pass_reply(self, rule, about, request, reply, writer, up_reader):
        status = reply.status()
        bodiless = request.first.startswith("HEAD ") or status in (204, 304)
        if loses_answer(rule):
            if not bodiless:
                async for _ in pieces(up_reader, reply, True):
                    pass
            if rule.get("reply"):
                await self.invented(rule, about, writer)
                return
            self.drop(rule, about, writer)
        for name, value in rule.headers:
            reply.put(name, value)
        rewritten = None
        if rule.fields and not bodiless:
            rewritten = b"".join([data async for _, data in pieces(up_reader, reply, True)])
            document = json.loads(rewritten)
            for path, new in rule.fields:
                set_field(document, path, new)
            rewritten = json.dumps(document).encode()
            reply.put("Transfer-Encoding", None)
            reply.put("Content-Length", str(len(rewritten)))
        raw_head = reply.encode()
        if rule.get("cut_head") is not None:
            writer.write(raw_head[: rule.get("cut_head")])
            await writer.drain()
            self.log("reply", **about, status=0, bytes=0)
            raise Dropped
        writer.write(raw_head)
        # The head goes at once: a stream of events may have nothing else to say for hours.
        await writer.drain()
        sent, body = 0, rewritten or b""
        if rewritten is not None:
            sent = await self.send(rule, about, writer, rewritten, rewritten, sent)
        elif not bodiless:
            async for raw, data in pieces(up_reader, reply, True):
                sent = await self.send(rule, about, writer, raw, data, sent)
                if self.bodies:
                    body += data
        self.log_body("answered", about["number"], body)
        self.log("reply", **about, status=status, bytes=sent)
        if not bodiless and not reply.chunked() and not reply.get("content-length"):
            raise Dropped

    async def send(self, rule, about, writer, raw, data, sent):
        if rule.get("slow_ms"):
            await asyncio.sleep(rule.get("slow_ms") / 1000)
        limit = rule.get("cut")
        if limit is not None and sent + len(data) >= limit:
            start = raw.find(data) if data else 0
            writer.write(raw[: start + limit - sent])
            await writer.drain()
            self.log("reply", **about, status=0, bytes=limit)
            raise Dropped
        if "/events" in about["target"]:
            self.log("piece", number=about["number"], bytes=len(data))
        writer.write(raw)
        await writer.drain()
        return sent + len(data)


async def listen(proxy, path):
    if os.path.lexists(path):
        os.unlink(path)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: ClientProtocol(proxy.connection), path)
    os.chmod(path, 0o660)
    return server


def number_in(path):
    with open(path, encoding="ascii") as file:
        return int(file.read())


async def serve(options, rules):
    with open(options.log or os.devnull, "a", encoding="utf-8") as log:
        proxy = Proxy(options.upstream, rules, log if options.log else None, options.bodies,
                      lambda: number_in(options.victim))
        server = await listen(proxy, options.listen)
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        print("listening", flush=True)
        await stop.wait()
        server.close()
        os.unlink(options.listen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True, metavar="SOCKET")
    parser.add_argument("--upstream", required=True, metavar="SOCKET")
    parser.add_argument("--rule", action="append", default=[])
    parser.add_argument("--log", metavar="FILE")
    parser.add_argument("--victim", metavar="FILE", help="holds the number of the process that kill= means")
    parser.add_argument("--bodies", action="store_true", help="log bodies too")
    options = parser.parse_args()
    try:
        rules = [Rule(text) for text in options.rule]
        if not options.victim and any(rule.get("kill") for rule in rules):
            raise ValueError("kill= needs --victim FILE")
    except (ValueError, re.error) as error:
        sys.exit(f"faultproxy.py: {error}")
    asyncio.run(serve(options, rules))


if __name__ == "__main__":
    main()
