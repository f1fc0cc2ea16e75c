#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""schema.py: is `drey schema` what an editor can use?

 - It is a schema by JSON Schema 2020-12 itself, and so is that of each kind, and that of saved plans.
 - Every document of examples/, and of what README.md and docs/*.md show, satisfies it, and those of its own kind.
 - Faults that an editor shall underline as one types (tests/golden/bad) do not.

DREY names the program. Ends with "N passed, N failed", a check for each schema and document. Not by whichever python3
comes first in the path: Debian's has the modules that tests/support/packages lists."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import yaml

TOP = Path(__file__).resolve().parent.parent.parent
DREY = os.environ.get("DREY", str(TOP / "build/drey"))
FAULTS = ["unknown-keys", "wrong-types"]

passed = failed = 0


class Loader(yaml.SafeLoader):
    """As editors read: a date is text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def check(what, fault):
    global passed, failed
    if fault is None:
        passed += 1
        return
    failed += 1
    print(f"FAIL {what}: {fault}")


def validator(*arguments):
    done = subprocess.run([DREY, "schema", *arguments], capture_output=True, text=True, timeout=60, check=True)
    schema = json.loads(done.stdout)
    fault = None
    if schema.get("$schema") != "https://json-schema.org/draft/2020-12/schema":
        fault = f"$schema is {schema.get('$schema')}"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        fault = error.message
    check(" ".join(["drey schema", *arguments]), fault)
    return jsonschema.Draft202012Validator(schema)


def documents(text):
    return [document for document in yaml.load_all(text, Loader) if document is not None]


def shown_in(page):
    """The manifests that a page shows."""
    for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), flags=re.M | re.S):
        if block.startswith("apiVersion:"):
            yield from documents(block)


def main():
    everything, of_kind = validator(), {}
    sources = [(path, documents(path.read_text())) for path in sorted((TOP / "examples").rglob("*.yaml"))]
    sources += [(page, list(shown_in(page))) for page in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md")), *sorted((TOP / "docs/guides").glob("*.md"))]]
    for path, found in sources:
        for document in found:
            kind = document["kind"]
            of_kind.setdefault(kind, None)
            of_kind[kind] = of_kind[kind] or validator(kind)
            what = f"{path.relative_to(TOP)}: {kind}/{document['metadata']['name']}"
            error = next(of_kind[kind].iter_errors(document), None) or next(everything.iter_errors(document), None)
            check(what, error and f"{'/'.join(map(str, error.path))}: {error.message}")
    for name in FAULTS:
        for path in sorted((TOP / "tests/golden/bad" / name).glob("*.yaml")):
            faulty = [d for d in documents(path.read_text()) if not everything.is_valid(d)]
            check(path.relative_to(TOP), None if faulty else "the schema finds nothing wrong with it")
    validator("plan")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
