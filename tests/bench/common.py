# SPDX-License-Identifier: GPL-2.0-or-later
"""What the parts of the benchmark share: the fleet, timed processes, bounds."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FLEET = os.path.join(TOP, "tests/support/fleet")
PROXY = os.path.join(TOP, "tests/support/faultproxy.py")
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
DREY = os.path.abspath(os.environ.get("DREY", os.path.join(BUILD, "drey")))
FLOOR = os.path.join(BUILD, "bench/floor")

missed = []


def say(name, value, bound, ok):
    print(f"{'ok  ' if ok else 'MISS'} {name}: {value} (bound {bound})", flush=True)
    if not ok:
        missed.append(name)


class Run:
    """One process: wall ms and peak memory in KiB."""

    def __init__(self, argv, env=None, want=0):
        with tempfile.NamedTemporaryFile("r", encoding="ascii") as memory:
            # A child's ru_maxrss begins with that of who forked it: of this interpreter it would be too much.
            timed = ["/usr/bin/time", "--quiet", "--format=%M", f"--output={memory.name}", *argv]
            start = time.monotonic()
            process = subprocess.run(timed, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            self.ms = (time.monotonic() - start) * 1000
            if process.returncode != want:
                sys.exit(f"{argv} ended with {process.returncode}: {process.stderr.decode()[-2000:]}")
            self.peak_kib = int(memory.read())


class Fleet:
    def __init__(self, scratch, count):
        self.dir = os.path.join(scratch, f"fleet{count}")
        self.count = count
        self.tool("up", "-n", str(count))
        env = subprocess.run(["sh", "-c", '. "$0/env"; echo "$KEY $KNOWN_HOSTS"', self.dir],
                             check=True, capture_output=True, text=True).stdout.split()
        self.key, self.known_hosts = env
        self.tool("image", "busy:1")

    def tool(self, command, *arguments, **options):
        return subprocess.run([FLEET, command, self.dir, *arguments], check=True,
                              stdout=options.get("stdout", subprocess.DEVNULL), text=True).stdout

    def address(self, host):
        with open(os.path.join(self.dir, host, "address"), encoding="utf-8") as f:
            return f.read().strip()

    def engine_socket(self, host, name="docker.sock"):
        with open(os.path.join(self.dir, host, "pid"), encoding="utf-8") as f:
            return f"/proc/{f.read().strip()}/root/run/{name}"

    def hosts(self):
        return [f"h{i + 1}" for i in range(self.count)]

    def down(self):
        self.tool("down")


def apply(manifests, state):
    env = dict(os.environ, DREY_STATE_DIR=state)
    Run([DREY, "apply", "-f", manifests, "--yes"], env)


def median(values):
    return statistics.median(values)


def read_log(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]
