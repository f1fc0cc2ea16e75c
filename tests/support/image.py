#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a small image out of a static busybox: as a `docker save` archive, or straight into a registry.

The same options give the same bytes, so image IDs and digests can be compared between runs and hosts.
"""

import argparse
import base64
import gzip
import hashlib
import http.client
import io
import json
import random
import subprocess
import sys
import tarfile

CREATED = "2020-01-01T00:00:00Z"

# What a container runs unless told otherwise. As process 1, a plain sleep would ignore SIGTERM and be killed 10 s later.
FOREVER = b"#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile :; do\n\tsleep 3600 &\n\twait $!\ndone\n"


def add_directory(tar, path, mode=0o755):
    info = tarfile.TarInfo(path.strip("/") + "/")
    info.type = tarfile.DIRTYPE
    info.mode = mode
    tar.addfile(info)


def add_file(tar, path, data, mode=0o644):
    info = tarfile.TarInfo(path.strip("/"))
    info.size = len(data)
    info.mode = mode
    tar.addfile(info, io.BytesIO(data))


def add_link(tar, path, target):
    info = tarfile.TarInfo(path)
    info.type = tarfile.SYMTYPE
    info.linkname = target
    tar.addfile(info)


def make_layer(fill):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        fill(tar)
    return raw.getvalue()


def base_layer(busybox):
    with open(busybox, "rb") as file:
        binary = file.read()
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()

    def fill(tar):
        for path in ("bin", "etc", "home", "root", "sbin", "usr", "usr/bin", "var", "var/lib", "www"):
            add_directory(tar, path)
        add_directory(tar, "tmp", 0o1777)
        add_file(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home:/bin/sh\n")
        add_file(tar, "etc/group", b"root:x:0:\napp:x:1000:\n")
        add_file(tar, "bin/busybox", binary, 0o755)
        add_file(tar, "bin/forever", FOREVER, 0o755)
        for applet in sorted(applets):
            if applet != "busybox":
                add_link(tar, "bin/" + applet, "busybox")

    return make_layer(fill)


def files_layer(files):
    def fill(tar):
        made = set()
        for path, text in sorted(files):
            parts = path.strip("/").split("/")
            for depth in range(1, len(parts)):
                parent = "/".join(parts[:depth])
                if parent not in made:
                    made.add(parent)
                    add_directory(tar, parent)
            add_file(tar, path, text.encode(), 0o755 if text.startswith("#!") else 0o644)

    return make_layer(fill)


def ballast_layer(seed, number, size):
    data = random.Random(f"{seed}/{number}").randbytes(size)
    return make_layer(lambda tar: add_file(tar, f"ballast.{number}", data))


class Image:
    def __init__(self, options):
        config = {"Cmd": ["forever"], "Env": ["PATH=/bin:/sbin:/usr/bin"]}
        config.update(json.loads(options.config))
        self.layers = [base_layer(options.busybox)]
        if options.file:
            self.layers.append(files_layer([file.split("=", 1) for file in options.file]))
        for number in range(options.layers):
            self.layers.append(ballast_layer(options.name, number, options.layer_size))
        ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in self.layers]
        self.config = json.dumps(
            {
                "architecture": options.architecture,
                "config": config,
                "created": CREATED,
                "history": [{"created": CREATED, "created_by": "image.py"} for _ in ids],
                "os": "linux",
                "rootfs": {"diff_ids": ids, "type": "layers"},
            },
            sort_keys=True,
        ).encode()
        self.id = hashlib.sha256(self.config).hexdigest()

    def save(self, name, path):
        """Writes the archive form that POST /images/load reads."""
        with tarfile.open(path, mode="w", format=tarfile.GNU_FORMAT) as tar:
            paths = []
            for layer in self.layers:
                digest = hashlib.sha256(layer).hexdigest()
                paths.append(digest + "/layer.tar")
                if paths.count(paths[-1]) == 1:
                    add_directory(tar, digest)
                    add_file(tar, paths[-1], layer)
            add_file(tar, self.id + ".json", self.config)
            manifest = [{"Config": self.id + ".json", "Layers": paths, "RepoTags": [name]}]
            add_file(tar, "manifest.json", json.dumps(manifest).encode())

    def push(self, name, registry):
        repository, tag = name.rsplit(":", 1)
        entries = []
        for layer in self.layers:
            blob = gzip.compress(layer, compresslevel=1, mtime=0)
            digest = registry.put_blob(repository, blob)
            kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
            entries.append({"digest": digest, "mediaType": kind, "size": len(blob)})
        manifest = {
            "config": {
                "digest": registry.put_blob(repository, self.config),
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(self.config),
            },
            "layers": entries,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "schemaVersion": 2,
        }
        body = json.dumps(manifest, sort_keys=True).encode()
        registry.put_manifest(repository, tag, manifest["mediaType"], body)
        return "sha256:" + hashlib.sha256(body).hexdigest()


class Registry:
    """As much of the OCI distribution API as a push takes."""

    def __init__(self, address, auth):
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.headers = {}
        if auth:
            self.headers["Authorization"] = "Basic " + base64.b64encode(auth.encode()).decode()

    def request(self, method, path, good, body=None, **headers):
        sent = {**self.headers, **{key.replace("_", "-"): value for key, value in headers.items()}}
        self.connection.request(method, path, body=body, headers=sent)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status not in good:
            sys.exit(f"image.py: {method} {path}: {reply.status} {text.decode(errors='replace')}")
        return reply

    def put_blob(self, repository, blob):
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        if self.request("HEAD", f"/v2/{repository}/blobs/{digest}", (200, 404)).status == 200:
            return digest
        upload = self.request("POST", f"/v2/{repository}/blobs/uploads/", (202,)).headers["Location"]
        path = "/" + upload.split("://", 1)[-1].split("/", 1)[1]
        path += ("&" if "?" in path else "?") + "digest=" + digest
        self.request("PUT", path, (201,), blob, Content_Type="application/octet-stream")
        return digest

    def put_manifest(self, repository, tag, kind, body):
        self.request("PUT", f"/v2/{repository}/manifests/{tag}", (201,), body, Content_Type=kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busybox", required=True, help="a static busybox")
    parser.add_argument("--name", required=True, help="NAME:TAG")
    parser.add_argument("--config", default="{}", help='image config, e.g. {"Env": ["A=b"], "Healthcheck": {...}}')
    parser.add_argument("--file", action="append", metavar="PATH=TEXT", help="a file; executable if it starts with #!")
    parser.add_argument("--layers", type=int, default=0, help="further layers of random bytes")
    parser.add_argument("--layer-size", type=int, default=1 << 20, metavar="BYTES")
    parser.add_argument("--architecture", default="amd64")
    parser.add_argument("--out", help="write a docker save archive here")
    parser.add_argument("--push", metavar="ADDRESS:PORT", help="push into this registry and print the digest")
    parser.add_argument("--auth", metavar="USER:PASSWORD")
    options = parser.parse_args()

    image = Image(options)
    if options.out:
        image.save(options.name, options.out)
    if options.push:
        print(image.push(options.name, Registry(options.push, options.auth)))


main()
