# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of the test fleet as the crash test sees it: its engine, past drey; drey on it, with or without the proxy."""

import asyncio
import json
import os
import shutil
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests/support"))
import faultproxy  # noqa: E402
import unixhttp  # noqa: E402

DREY = os.path.abspath(os.environ.get("DREY", os.path.join(TOP, "build/drey")))
FLEET_TOOL = os.path.join(TOP, "tests/support/fleet")
# No run of drey takes longer, whatever was done to it: a hang is a defect.
LONGEST_RUN_S = 240  # a backup tries for two minutes to give its users back


class Failed(Exception):
    """What held before and after the fault does not hold."""


class Run:
    """One run of drey: its exit code (None: killed) and what it wrote."""

    def __init__(self, code, out, err, began, ended):
        self.code, self.out, self.err, self.began, self.ended = code, out, err, began, ended

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit {self.code}\n{self.out}{self.err}"


class Host:
    def __init__(self, fleet, name, scratch):
        self.fleet, self.name, self.scratch = fleet, name, os.path.join(scratch, name)
        self.backups = os.path.join(self.scratch, "backups")
        self.state = os.path.join(self.scratch, "state")
        self.manifests = os.path.join(self.scratch, "manifests")
        self.address = self.read("address")
        os.makedirs(self.scratch, exist_ok=True)
        self.victim = None
        self.proxy = faultproxy.Proxy(self.path("/run/docker.sock"), [], None, victim=lambda: self.victim)
        self.log = []
        self.proxy.log = lambda event, **fields: self.log.append((event, fields))

    def read(self, name):
        with open(os.path.join(self.fleet, self.name, name), encoding="utf-8") as file:
            return file.read().strip()

    def path(self, path):
        """The path by which this machine reaches the host's."""
        return f"/proc/{self.read('pid')}/root{path}"

    def volume(self, name):
        return self.path(f"/var/lib/docker/volumes/{name}/_data")

    # --- the engine

    def engine(self, method, path, body=None):
        return unixhttp.ask(self.path("/run/docker.sock"), method, path, body)

    def get(self, path):
        return json.loads(self.engine("GET", path))

    def containers(self):
        """What inspect says of each, by name."""
        listed = self.get("/containers/json?all=1")
        found = [self.get(f"/containers/{container['Id']}/json") for container in listed]
        return {container["Name"].lstrip("/"): container for container in found}

    def volumes(self):
        return {volume["Name"]: volume for volume in self.get("/volumes")["Volumes"] or []}

    def networks(self):
        return [network["Name"] for network in self.get("/networks")
                if network["Name"] not in ("bridge", "host", "none")]

    def images(self):
        return sorted(tag for image in self.get("/images/json") for tag in image["RepoTags"] or ["<none>"])

    def wipe(self):
        for container in self.get("/containers/json?all=1"):
            self.engine("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for name in self.volumes():
            self.engine("DELETE", f"/volumes/{name}?force=1")
        for name in self.networks():
            self.engine("DELETE", f"/networks/{name}")
        for directory in (self.state, self.backups):
            shutil.rmtree(directory, ignore_errors=True)

    def ran(self, resource, began, ended):
        """When containers of that name started and died between two times: [(seconds, "start" or "die", id)]."""
        filters = {"type": ["container"], "event": ["start", "die"], "label": [f"drey.name={resource}"]}
        query = urllib.parse.urlencode({"since": f"{began:.6f}", "until": f"{ended:.6f}",
                                        "filters": json.dumps(filters)})
        lines = self.engine("GET", f"/events?{query}").splitlines()
        events = [json.loads(line) for line in lines]
        return [(event["timeNano"] / 1e9, event["Action"], event["Actor"]["ID"]) for event in events]

    # --- drey

    def write(self, documents, through_proxy=False):
        shutil.rmtree(self.manifests, ignore_errors=True)
        os.makedirs(self.manifests)
        host = {
            "address": f"ssh://root@{self.address}:22",
            "identity_file": os.path.join(self.fleet, "id_ed25519"),
            "known_hosts": os.path.join(self.fleet, "known_hosts"),
            "docker_socket": "/run/crash.sock" if through_proxy else "/run/docker.sock",
        }
        both = [("Project", "crash", {}), ("Host", self.name, host)] + documents
        with open(os.path.join(self.manifests, "all.yaml"), "w", encoding="utf-8") as file:
            for kind, name, spec, *more in both:
                metadata = {"name": name, **(more[0] if more else {})}
                document = {"apiVersion": "drey/v1", "kind": kind, "metadata": metadata, "spec": spec}
                # JSON is YAML.
                file.write(f"---\n{json.dumps(document)}\n")

    async def drey(self, *arguments):
        began = time.time()
        environment = {"PATH": os.environ["PATH"], "HOME": self.scratch, "TMPDIR": self.scratch,
                       "DREY_STATE_DIR": self.state}
        process = await asyncio.create_subprocess_exec(
            DREY, *arguments, "-f", self.manifests, env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        self.victim = process.pid
        try:
            out, err = await asyncio.wait_for(process.communicate(), LONGEST_RUN_S)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            raise Failed(f"drey {' '.join(arguments)} did not end within {LONGEST_RUN_S} s") from None
        code = None if process.returncode == -9 else process.returncode
        return Run(code, out.decode(), err.decode(), began, time.time())

    async def expect(self, code, *arguments):
        run = await self.drey(*arguments)
        if run.code != code:
            raise Failed(f"drey {' '.join(arguments)}: exit {code} expected: {run}")
        return run
