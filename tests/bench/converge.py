# SPDX-License-Identifier: GPL-2.0-or-later
"""What `drey apply` costs beside a bare client that sends the same requests, and beside Docker Compose.

Each scenario is recorded once: what drey asks of the engine, and which answers it had when it asked. The bare client
then sends the same over the same tunnel, as many in flight. drey and the bare client work on h1, Compose on h2.
"""
import base64
import json
import os
import subprocess
import tempfile

from common import BUILD, DREY, FLEET, PROXY, TOP, Fleet, Run, median, read_log, say

REPLAY = os.path.join(BUILD, "bench/replay")
DELAY_PROXY = os.path.join(TOP, "tests/support/delayproxy.py")
COMPOSE = os.path.join(TOP, "tests/support/compose")
BOUND = 1.2
ROUND_TRIP_MS = 50
SERVICE = """  image: busy:1
  networks: [front]
  environment: {{ INDEX: '{index}', LOG_LEVEL: {level} }}
  mem_limit: 32m
  cpus: 0.5
  restart: unless-stopped
  labels: {{ tier: front }}
"""


def service(index, level):
    return SERVICE.format(index=index, level=level)


class Way:
    """How a host is reached: its address as the clients are given it, and the socket there."""

    def __init__(self, fleet, host, port=None, socket="docker.sock"):
        self.address = f"127.0.0.1:{port}" if port else fleet.address(host)
        self.socket = f"/var/run/{socket}"
        self.known_hosts = fleet.known_hosts
        if port:
            self.known_hosts = os.path.join(fleet.dir, f"known_hosts-{port}")
            key = os.path.join(fleet.dir, host, "etc/ssh/ssh_host_ed25519_key.pub")
            with open(key, encoding="utf-8") as f, open(self.known_hosts, "w", encoding="utf-8") as out:
                out.write(f"[127.0.0.1]:{port} {' '.join(f.read().split()[:2])}\n")


class Drey:
    def __init__(self, scratch, fleet, way):
        self.fleet, self.way = fleet, way
        self.dir = tempfile.mkdtemp(prefix="drey.", dir=scratch)
        self.env = dict(os.environ, DREY_STATE_DIR=os.path.join(self.dir, "state"))

    def manifests(self, count, changed=False, absent=False):
        directory = os.path.join(self.dir, f"{count}{'c' if changed else ''}{'a' if absent else ''}")
        if os.path.isdir(directory):
            return directory
        os.mkdir(directory)
        state = "  state: absent\n" if absent else ""
        documents = ["apiVersion: drey/v1\nkind: Project\nmetadata: { name: bench }\n",
                     f"apiVersion: drey/v1\nkind: Host\nmetadata: {{ name: h1 }}\nspec:\n"
                     f"  address: 'ssh://root@{self.way.address}'\n  identity_file: {self.fleet.key}\n"
                     f"  known_hosts: {self.way.known_hosts}\n  docker_socket: {self.way.socket}\n",
                     f"apiVersion: drey/v1\nkind: Network\nmetadata: {{ name: front }}\nspec:\n  hosts: [h1]\n{state}"]
        for i in range(count):
            level = "debug" if changed and i == 7 else "info"
            documents.append(f"apiVersion: drey/v1\nkind: Container\nmetadata: {{ name: c{i} }}\n"
                             f"spec:\n{service(i, level)}  monitor: 0s\n{state}")
        with open(os.path.join(directory, "fleet.yaml"), "w", encoding="utf-8") as f:
            f.write("---\n".join(documents))
        return directory

    def apply(self, *arguments, **options):
        return Run([DREY, "apply", "-f", self.manifests(*arguments, **options), "--yes"], self.env)


class Compose:
    def __init__(self, scratch, fleet, port=None):
        self.dir = tempfile.mkdtemp(prefix="compose.", dir=scratch)
        self.program = subprocess.run([COMPOSE], check=True, capture_output=True, text=True).stdout.strip()
        way = Way(fleet, "h2", port)
        host, _, ssh_port = way.address.partition(":")
        # Compose runs the SSH program that it finds.
        with open(os.path.join(self.dir, "ssh"), "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexec /usr/bin/ssh -i {fleet.key} -o UserKnownHostsFile={way.known_hosts} \"$@\"\n")
        os.chmod(f.name, 0o755)
        self.env = dict(os.environ, PATH=f"{self.dir}:{os.environ['PATH']}", HOME=self.dir,
                        DOCKER_HOST=f"ssh://root@{host}" + (f":{ssh_port}" if ssh_port else ""))

    def file(self, count, changed=False):
        path = os.path.join(self.dir, f"{count}{'c' if changed else ''}.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("name: bench\nnetworks: { front: {} }\nservices:\n")
            for i in range(count):
                lines = service(i, "debug" if changed and i == 7 else "info").splitlines()
                f.write(f"  c{i}:\n" + "".join(f"  {line}\n" for line in lines))
        return path

    def up(self, count, changed=False):
        return Run([self.program, "-f", self.file(count, changed), "up", "-d"], self.env)

    def down(self, count):
        return Run([self.program, "-f", self.file(count), "down"], self.env)


# --- what drey sends ------------------------------------------------------------------------------------------------

def with_names(text, ids):
    for value, name in ids.items():
        text = text.replace(value, "{" + name + "}")
    return text


def learned(request):
    path = request["target"].split("?")[0]
    if request["method"] == "GET" and path.endswith("/containers/json"):
        return "containers"
    if request["method"] == "GET" and path.endswith("/networks"):
        return "networks"
    if request["method"] == "POST" and path.endswith("/containers/create"):
        return "container:" + request["target"].split("name=")[1].split("&")[0]
    return None


def ids_of(requests, answers):
    """Of this recording: ID -> "container:web"."""
    ids = {}
    for request in requests:
        what, body = learned(request), answers.get(request["number"])
        if not what or not body or request["status"] >= 300:
            continue
        document = json.loads(body)
        if what == "containers":
            ids.update({item["Id"]: f"container:{item['Names'][0][1:]}" for item in document})
        elif what == "networks":
            ids.update({item["Id"]: f"network:{item['Name']}" for item in document})
        else:
            ids[document["Id"]] = what
    return ids


def script_of(log):
    """The log of a recording -> what tests/bench/replay.c reads."""
    requests, bodies = {}, {"sent": {}, "answered": {}}
    for record in read_log(log):
        if record["event"] == "request":
            requests[record["number"]] = {**record, "end": None}
        elif record["event"] == "reply":
            requests[record["number"]].update(end=record["t_us"], status=record["status"])
        elif record["event"] in bodies:
            bodies[record["event"]][record["number"]] = base64.b64decode(record["body"])
    order = sorted((r for r in requests.values() if r["end"]), key=lambda r: r["t_us"])
    ids = ids_of(order, bodies["answered"])
    script, known = [], []
    for request in order:
        before = {i for i, other in enumerate(order) if other["end"] <= request["t_us"]}
        known.append(before)
        step = {"method": request["method"], "path": with_names(request["target"], ids), "status": request["status"],
                # Those alone that no other of them implies.
                "after": sorted(before - set().union(*(known[i] for i in before)))}
        if (body := bodies["sent"].get(request["number"])) is not None:
            step["body"] = with_names(body.decode("latin-1"), ids)
            step["type"] = "application/x-tar" if request["method"] == "PUT" else "application/json"
        if what := learned(request):
            step["learn"] = what
        script.append(step)
    return script


def record(scratch, fleet, name, work, port=None):
    """Runs `work` with a drey that goes through the recorder, and through the SSH port; returns the path of the script."""
    log, script = os.path.join(scratch, f"{name}.log"), os.path.join(scratch, f"{name}.json")
    listen = fleet.engine_socket("h1", "bench.sock")
    proxy = subprocess.Popen([PROXY, "--listen", listen, "--upstream", fleet.engine_socket("h1"), "--log", log, "--bodies"],
                             stdout=subprocess.PIPE)
    proxy.stdout.readline()
    try:
        work(Drey(scratch, fleet, Way(fleet, "h1", port, "bench.sock")))
    finally:
        proxy.terminate()
        proxy.wait()
    with open(script, "w", encoding="utf-8") as f:
        json.dump(script_of(log), f)
    return script


# --- scenarios ------------------------------------------------------------------------------------------------------

def kill_container(fleet, host, name):
    subprocess.run([FLEET, "curl", fleet.dir, host, "POST", f"/containers/{name}/kill"], check=True,
                   stdout=subprocess.DEVNULL)


class Scenario:
    """before: brings the host to where the work begins. work: what is timed. peer_*: the same for Compose."""

    def __init__(self, name, rounds, peer_ratio, before, work, peer_before, peer_work):
        self.name, self.rounds, self.peer_ratio = name, rounds, peer_ratio
        self.before, self.work = before, work
        self.peer_before, self.peer_work = peer_before, peer_work


def nothing(_):
    pass


def scenarios(fleet):
    def killed(drey):
        drey.apply(50)
        kill_container(fleet, "h1", "c7")

    def peer_killed(_):
        kill_container(fleet, "h2", "bench-c7-1")

    # In this order each begins where the one before has ended.
    return [
        Scenario("create 50", 2, 1.8, lambda d: d.apply(50, absent=True), lambda d: d.apply(50),
                 lambda c: c.down(50), lambda c: c.up(50)),
        Scenario("no-op of 50", 5, 3, lambda d: d.apply(50), lambda d: d.apply(50), nothing, lambda c: c.up(50)),
        Scenario("heal 1", 5, 1.7, killed, lambda d: d.apply(50), peer_killed, lambda c: c.up(50)),
        Scenario("change 1", 5, None, lambda d: d.apply(50), lambda d: d.apply(50, changed=True),
                 lambda c: c.up(50), lambda c: c.up(50, changed=True)),
        Scenario("remove 50", 2, 3, lambda d: d.apply(50), lambda d: d.apply(50, absent=True),
                 lambda c: c.up(50), lambda c: c.down(50)),
        Scenario("no-op of 100", 5, 3, lambda d: d.apply(100), lambda d: d.apply(100),
                 lambda c: c.up(100), lambda c: c.up(100)),
    ]


def logins(fleet, host):
    with open(os.path.join(fleet.dir, host, "sshd.log"), encoding="utf-8", errors="replace") as f:
        return sum("Accepted " in line for line in f)


class Timed:
    """Some runs of one program: median ms, largest memory, most logins."""

    def __init__(self, fleet, host):
        self.fleet, self.host, self.runs, self.logins = fleet, host, [], 0

    def add(self, work):
        before = logins(self.fleet, self.host)
        self.runs.append(work())
        self.logins = max(self.logins, logins(self.fleet, self.host) - before)

    def ms(self):
        return median([run.ms for run in self.runs])

    def mib(self):
        return max(run.peak_kib for run in self.runs) / 1024


def measure(fleet, scenario, near, drey, script, compose, rounds):
    """Interleaved, so that all have met the same weather. `near` goes the short way, for what is not timed."""
    ours, bare, peer = Timed(fleet, "h1"), Timed(fleet, "h1"), Timed(fleet, "h2")
    floor = [REPLAY, drey.way.address, fleet.key, drey.way.known_hosts, script]
    for _ in range(rounds):
        scenario.before(near)
        bare.add(lambda: Run(floor))
        scenario.before(near)
        ours.add(lambda: scenario.work(drey))
        if compose:
            scenario.peer_before(compose)
            peer.add(lambda: scenario.peer_work(compose))
    return ours, bare, peer


def report(name, ours, bare, peer, expected):
    ratio = median([o.ms / b.ms for o, b in zip(ours.runs, bare.runs)])
    say(f"{name} against the bare client", f"{ours.ms():.0f} ms / {bare.ms():.0f} ms, ratio {ratio:.2f}", f"{BOUND}",
        ratio <= BOUND)
    say(f"{name}, logins", f"{ours.logins}", "1", ours.logins == 1)
    text = f"     {name}, memory: {ours.mib():.1f} MiB"
    if peer.runs:
        peer_ratio = median([p.ms / o.ms for p, o in zip(peer.runs, ours.runs)])
        text += (f"; Compose {peer.ms():.0f} ms = {peer_ratio:.1f} x drey's time"
                 f"{f' (expected: {expected} x)' if expected else ''}, {peer.logins} logins, {peer.mib():.1f} MiB")
    print(text, flush=True)


def delay_proxy(fleet, host):
    process = subprocess.Popen([DELAY_PROXY, str(ROUND_TRIP_MS), f"{fleet.address(host)}:22"], stdout=subprocess.PIPE,
                               text=True)
    return process, int(process.stdout.readline())


def bench_converge(scratch):
    fleet, proxies = Fleet(scratch, 2), []
    try:
        near = Drey(scratch, fleet, Way(fleet, "h1"))
        compose = Compose(scratch, fleet)
        for _ in range(2):
            proxies.append(delay_proxy(fleet, f"h{len(proxies) + 1}"))
        far = Drey(scratch, fleet, Way(fleet, "h1", proxies[0][1]))
        far_compose = Compose(scratch, fleet, proxies[1][1])
        # The first change that a host sees imports the image of the lease.
        near.apply(1)
        for scenario in scenarios(fleet):
            scenario.before(near)
            script = record(scratch, fleet, scenario.name.replace(" ", "-"), scenario.work)
            report(scenario.name, *measure(fleet, scenario, near, near, script, compose, scenario.rounds), scenario.peer_ratio)
            # Far away there are more requests in flight.
            scenario.before(near)
            far_script = record(scratch, fleet, f"{scenario.name.replace(' ', '-')}-far", scenario.work, proxies[0][1])
            # Compose, far away, only where it changes nothing: the rest takes minutes.
            is_noop = scenario.name.startswith("no-op")
            report(f"{scenario.name} at {ROUND_TRIP_MS} ms",
                   *measure(fleet, scenario, near, far, far_script, far_compose if is_noop else None,
                            scenario.rounds // 2),
                   4 if is_noop else None)
    finally:
        for process, _ in proxies:
            process.terminate()
            process.wait()
        fleet.down()
