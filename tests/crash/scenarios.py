# SPDX-License-Identifier: GPL-2.0-or-later
"""What is being done when the fault comes, and what must hold once it has been done again.

A scenario has the documents `before` and `after`, the command that leads from one to the other, and the names that are
there in the end. Where there is an `attempt`, that is what the run with the fault is given: it can't succeed, and in the end
all is as `after` says. Documents are (kind, name, spec[, metadata]).
"""

import os

from host import Failed

DATA = {"kept": "the only copy\n"}


def container(name="web", image="busy:1", metadata=None, **spec):
    return ("Container", name, {"image": image, "monitor": "100ms", **spec}, metadata or {})


def web(**spec):
    return container(**{"networks": ["front"], "volumes": ["data:/data", "/scratch"], **spec})


FRONT = ("Network", "front", {})
BACK = ("Network", "back", {})
DATA_VOLUME = ("Volume", "data", {})
STACK = [FRONT, DATA_VOLUME]


def mounts(inspected):
    return {mount["Destination"]: mount["Name"] for mount in inspected["Mounts"] if mount["Type"] == "volume"}


def fill(host, volume, files):
    for name, text in files.items():
        with open(os.path.join(host.volume(volume), name), "w", encoding="utf-8") as file:
            file.write(text)


def expect_files(host, volume, files):
    for name, text in files.items():
        path = os.path.join(host.volume(volume), name)
        if not os.path.exists(path):
            raise Failed(f"data lost: volume {volume} has no file {name}")
        with open(path, encoding="utf-8") as file:
            found = file.read()
        if found != text:
            raise Failed(f"data lost: {name} in volume {volume} holds {found!r}, not {text!r}")


class Scenario:
    before, attempt, after = [], [], []
    command = ("apply", "--yes")
    services = ()  # Containers that run before and after
    renamed = {}  # those of them that have another name in the end
    containers = {"web": "running"}  # in the end
    networks = ["front"]
    leftovers = set()  # that are there on purpose
    whole_volumes = ["data"]  # named ones; an anonymous one per container with /scratch comes on top

    async def prepare(self, host):
        """After `before` was applied: data that must outlive all that comes."""
        for inspected in host.containers().values():
            for volume in mounts(inspected).values():
                fill(host, volume, DATA)

    def check(self, host, containers):
        for inspected in containers.values():
            for volume in mounts(inspected).values():
                expect_files(host, volume, DATA)

    def check_volumes(self, host, containers):
        mounted = {name for inspected in containers.values() for name in mounts(inspected).values()}
        wanted = sorted(mounted | set(self.whole_volumes))
        found = sorted(host.volumes())
        if found != wanted:
            raise Failed(f"volumes {found}, not {wanted}")


class Create(Scenario):
    """A stack where nothing was: network, volume, a service, one that needs it, a job."""
    after = STACK + [web(), container("api", network_mode="service:web", depends_on=["web"]),
                     container("job", state="completed", network_mode="host", command=["echo", "once"])]
    containers = {"web": "running", "api": "running", "job": "exited"}

    def check(self, host, containers):
        """There were no data to lose."""


class Image(Scenario):
    """Another image: replaced, with its anonymous volume and one who shares its network."""
    before = STACK + [web(), container("tail", network_mode="service:web")]
    after = STACK + [web(image="busy:2"), container("tail", network_mode="service:web")]
    services = ("web", "tail")
    containers = {"web": "running", "tail": "running"}


class Undo(Scenario):
    """Another image, with a command that ends at once: the old container is put back, and who shares its network."""
    before = Image.before
    attempt = STACK + [web(image="busy:2", command=["sh", "-c", "exit 3"]), before[-1]]
    after = before
    services = ("web", "tail")
    containers = {"web": "running", "tail": "running"}


class Network(Scenario):
    """A network made anew beneath a service that runs."""
    before = STACK + [BACK, web(networks={"front": {"aliases": ["www"]}, "back": {}}), container("api", networks=["front"])]
    after = [("Network", "front", {"labels": {"tier": "front"}}), BACK, DATA_VOLUME] + before[-2:]
    services = ("web", "api")
    containers = {"web": "running", "api": "running"}
    networks = ["back", "front"]

    def check(self, host, containers):
        super().check(host, containers)
        networks = containers["web"]["NetworkSettings"]["Networks"]
        if sorted(networks) != ["back", "front"] or "www" not in networks["front"]["Aliases"]:
            raise Failed(f"web is on {networks}")


class Update(Scenario):
    """Live changes alone: a limit, a network more, a restart policy."""
    before = STACK + [BACK, web()]
    after = STACK + [BACK, web(networks=["front", "back"], mem_limit="64m", restart="always")]
    services = ("web",)
    networks = ["back", "front"]


class Prune(Scenario):
    """What the manifests no longer declare goes, volumes stay."""
    before = STACK + [BACK, web(), container("gone", networks=["back"]), container("stays", network_mode="host")]
    after = STACK + [web(), container("stays", network_mode="host")]
    command = ("apply", "--yes", "--prune")
    services = ("web", "stays")
    containers = {"web": "running", "stays": "running"}


class Rename(Scenario):
    """Two that swap their names, and one that gets a new one."""
    before = STACK + [web(), container("left", network_mode="host"), container("right", network_mode="host")]
    after = STACK + [web(container_name="www"), container("left", network_mode="host", container_name="right"),
                     container("right", network_mode="host", container_name="left")]
    services = ("web", "left", "right")
    containers = {"www": "running", "left": "running", "right": "running"}

    def check(self, host, containers):
        super().check(host, containers)
        if containers["left"]["Config"]["Labels"]["drey.name"] != "right":
            raise Failed("left and right have not swapped their names")


class StartFirst(Scenario):
    """Another image, the new container up before the old one stops: nobody is ever without the service."""
    before = [FRONT, container(networks={"front": {"aliases": ["www"]}}, deploy={"update_config": {"order": "start-first"}})]
    after = [FRONT, container(image="busy:2", networks={"front": {"aliases": ["www"]}},
                              deploy={"update_config": {"order": "start-first"}})]
    services = ("web",)
    whole_volumes = []

    def check(self, host, containers):
        super().check(host, containers)
        if "www" not in containers["web"]["NetworkSettings"]["Networks"]["front"]["Aliases"]:
            raise Failed(f"web is on {containers['web']['NetworkSettings']['Networks']}")


class Hooks(Scenario):
    """Another image of a service with hooks: the new one has had its own, however often."""
    HOOKS = {"post_start": [{"command": ["touch", "/started"]}], "pre_stop": [{"command": ["true"]}]}
    before = [container(network_mode="host", **HOOKS)]
    after = [container(image="busy:2", network_mode="host", **HOOKS)]
    services = ("web",)
    networks = []
    whole_volumes = []

    def check(self, host, containers):
        super().check(host, containers)
        if "/started" not in [change["Path"] for change in host.get("/containers/web/changes") or []]:
            raise Failed("post_start has not been run")


class Was(Scenario):
    """New names of a network and of a service that runs: the one is made anew beneath the other, which is renamed."""
    before = STACK + [web()]
    after = [("Network", "edge", {}, {"was": ["front"]}), ("Volume", "stock", {}, {"was": ["data"]}),
             container("shop", metadata={"was": ["web"]}, networks=["edge"], volumes=["stock:/data", "/scratch"])]
    command = ("apply", "--yes", "--prune")
    services = ("web",)
    renamed = {"web": "shop"}
    containers = {"shop": "running"}
    networks = ["edge"]


class Generations(Scenario):
    """The service is moved to a new generation of its volume, and the old one stays."""
    stack = [DATA_VOLUME, container(network_mode="host", volumes=["data:/data", "/scratch"])]
    leftovers = {"Volume/data"}
    services = ("web",)
    networks = []

    def check_volumes(self, host, containers):
        """The old generation stays, and so does a whole one that an interrupted run had made; each whole one has its
        marker, and nothing else is there."""
        mounted = set(mounts(containers["web"]).values())
        found = set(host.volumes()) - mounted - {"data"}
        whole = {name.removesuffix(".drey-verified") for name in found if name.endswith(".drey-verified")}
        stray = {name for name in found if name.removesuffix(".drey-verified") not in whole}
        if stray or mounts(containers["web"])["/data"] not in whole:
            raise Failed(f"volumes {sorted(host.volumes())}, mounted {sorted(mounted)}")


class Restore(Generations):
    """A volume from its backup, while its data of today stay in the old generation."""
    command = ("backup", "restore", "data", "--yes")

    def __init__(self, host):
        self.before = self.stack + [("Backup", "nightly", {"volumes": ["data"], "directory": host.backups})]
        self.after = self.before

    async def prepare(self, host):
        await super().prepare(host)
        await host.expect(0, "backup", "run", "nightly")
        fill(host, "data", {"kept": "scribbled over\n"})

    def check(self, host, containers):
        super().check(host, containers)
        expect_files(host, "data", {"kept": "scribbled over\n"})


class Migrate(Generations):
    """Another label of a volume: its files are copied to a new one."""
    before = Generations.stack
    after = [("Volume", "data", {"labels": {"tier": "data"}, "on_change": "migrate"}), before[-1]]

    def check(self, host, containers):
        super().check(host, containers)
        expect_files(host, "data", DATA)


SCENARIOS = {"create": Create, "image": Image, "undo": Undo, "network": Network, "update": Update, "prune": Prune, "rename": Rename,
             "restore": Restore, "start-first": StartFirst, "hooks": Hooks, "was": Was, "migrate": Migrate}


def scenario(name, host):
    kind = SCENARIOS[name]
    return kind(host) if kind is Restore else kind()
