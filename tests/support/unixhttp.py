# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP over a unix socket, as engines speak it."""

import http.client
import json
import socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(path, method, target, body=None):
    """What the engine at that socket answers, as text; its errors are raised."""
    connection = UnixConnection(path)
    text = json.dumps(body) if body is not None else None
    connection.request(method, target, text, {"Content-Type": "application/json"} if text else {})
    reply = connection.getresponse()
    data = reply.read().decode()
    connection.close()
    if reply.status >= 400:
        raise RuntimeError(f"{method} {target}: {reply.status} {data}")
    return data
