#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""anew.py: makes drey's objects anew on an engine, behind drey's back, all of them by one process.

  anew.py SOCKET save PREFIX            drey's objects of that beginning, as JSON: KIND/NAME to what makes it as it is
  anew.py SOCKET make FILE [--as NAME]  each of that JSON is removed, and made again as it was; with --as as the one of its
                                        kind is that has this NAME, and under its resource's own name

Whoever makes one anew does it with the labels by which drey knows the object that is there, and starts what ran.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from unixhttp import ask  # noqa: E402

# What an engine does at the same time.
AT_ONCE = 8
KINDS = ("Network", "Volume", "Container")


def is_own(label):
    return label.startswith("drey.")


def labels_of(kind, seen):
    return (seen["Config"] if kind == "Container" else seen)["Labels"] or {}


def endpoints(seen):
    """Of networks that people made: how the container is on them."""
    if seen["HostConfig"]["NetworkMode"] in ("default", "bridge", "host", "none"):
        return {}
    kept = ("IPAMConfig", "Aliases", "Links", "DriverOpts", "GwPriority")
    found = {}
    for name, endpoint in seen["NetworkSettings"]["Networks"].items():
        found[name] = {key: endpoint[key] for key in kept if endpoint.get(key)}
        # Engines before API 1.45 add the container's ID.
        if "Aliases" in found[name]:
            found[name]["Aliases"] = [alias for alias in endpoint["Aliases"] if alias != seen["Id"][:12]]
    return found


def container_body(seen):
    host_config = seen["HostConfig"]
    body = dict(seen["Config"], HostConfig=host_config, NetworkingConfig={"EndpointsConfig": endpoints(seen)})
    # Nobody gave these.
    body.pop("MacAddress", None)
    if body["Hostname"] == seen["Id"][:12] or "host" in (host_config["NetworkMode"], host_config["UTSMode"]):
        del body["Hostname"]
    return body


def network_body(seen):
    kept = ("Driver", "Options", "IPAM", "Internal", "Attachable", "EnableIPv4", "EnableIPv6", "ConfigOnly", "ConfigFrom")
    return {key: seen[key] for key in kept if key in seen}


def volume_body(seen):
    return {"Driver": seen["Driver"], "DriverOpts": seen["Options"]}


BODIES = {"Network": network_body, "Volume": volume_body, "Container": container_body}


def inspect(socket, kind, name):
    suffix = "/json" if kind == "Container" else ""
    return json.loads(ask(socket, "GET", f"/{kind.lower()}s/{name}{suffix}"))


def listed(socket, kind):
    """(engine's name, labels) of each."""
    path = f"/{kind.lower()}s" + ("/json?all=1" if kind == "Container" else "")
    found = json.loads(ask(socket, "GET", path))
    if kind == "Volume":
        found = found["Volumes"] or []
    return [(item["Names"][0].lstrip("/") if kind == "Container" else item["Name"], item["Labels"] or {}) for item in found]


def save(socket, prefix):
    saved = {}
    for kind in KINDS:
        for engine_name, labels in listed(socket, kind):
            if not labels.get("drey.name", "").startswith(prefix):
                continue
            seen = inspect(socket, kind, engine_name)
            body = BODIES[kind](seen)
            body["Labels"] = {key: value for key, value in labels_of(kind, seen).items() if not is_own(key)}
            saved[f"{kind}/{labels['drey.name']}"] = {"name": engine_name, "body": body}
    return saved


def make_container(socket, seen, name, body):
    ask(socket, "DELETE", f"/containers/{seen['Id']}?force=1&v=1")
    ask(socket, "POST", f"/containers/create?name={name}", body)
    if seen["State"]["Running"]:
        ask(socket, "POST", f"/containers/{name}/start")


def make_all(socket, saved, model):
    """Each object is removed and made anew: as it was saved, or as that one was."""
    there = {f"{kind}/{labels['drey.name']}": engine_name for kind in KINDS
             for engine_name, labels in listed(socket, kind) if "drey.name" in labels}

    def body_of(key, seen):
        kind, own_name = key.split("/")
        name, body = saved[key]["name"], saved[key]["body"]
        if model:
            name, body = own_name, saved[f"{kind}/{model}"]["body"]
            # Its addresses are the engine's choice, and taken.
            body = {key: value for key, value in body.items() if key != "IPAM"}
        own = {key: value for key, value in labels_of(kind, seen).items() if is_own(key)}
        return name, dict(body, Labels=dict(body["Labels"], **own))

    def each(keys, do):
        def one(key):
            try:
                return do(key)
            except (OSError, RuntimeError) as error:
                raise SystemExit(f"anew.py: {key}: {error}") from error

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, keys))

    def container(key):
        seen = inspect(socket, "Container", there[key])
        make_container(socket, seen, *body_of(key, seen))

    def taken_away(key):
        kind = key.split("/")[0]
        wanted = body_of(key, inspect(socket, kind, there[key]))
        ask(socket, "DELETE", f"/{kind.lower()}s/{there[key]}")
        return key, wanted

    def made(item):
        key, (name, body) = item
        ask(socket, "POST", f"/{key.split('/')[0].lower()}s/create", dict(body, Name=name))

    keys = [key for key in saved if key.split("/")[1] != model]
    each([key for key in keys if key.startswith("Container/")], container)
    # All first: one may have got the addresses that another one had.
    each(each([key for key in keys if not key.startswith("Container/")], taken_away), made)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socket")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("save").add_argument("prefix")
    command = commands.add_parser("make")
    command.add_argument("file", type=Path)
    command.add_argument("--as", dest="model")
    options = parser.parse_args()
    if options.command == "save":
        json.dump(save(options.socket, options.prefix), sys.stdout, sort_keys=True)
    else:
        make_all(options.socket, json.loads(options.file.read_text()), options.model)


main()
