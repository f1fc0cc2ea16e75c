#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""documents.py: does what README.md and docs/*.md show still hold?

 - A block fenced as yaml whose documents begin with apiVersion is a set of manifests by itself, and valid (`drey
   validate`). Where it has no Project or Host of its own these are added; the files that it names are made up.
 - A block fenced as c is quoted from the file that the line above it links to. A line "..." stands for what is left out.
 - A command `drey ...` or `make ...` in a block fenced as sh or console, or in backticks, exists, with these options.
 - Links inside of the tree lead somewhere, to a heading where they name one.
 - docs/traps.md has a row for each trap, and each test that a row names exists: one of that number where it is a container of
   tests/e2e/19-traps.sh.

DREY names the program. Ends with "N passed, N failed", a check for each block, command and link.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
DREY = os.environ.get("DREY", str(TOP / "build/drey"))
PAGES = [TOP / "README.md", TOP / "CHANGELOG.md", *sorted((TOP / "docs").glob("*.md")), *sorted((TOP / "docs/guides").glob("*.md"))]

# What a block is read with where it names no Project or no Host itself.
PROJECT = "apiVersion: drey/v1\nkind: Project\nmetadata: { name: documents }\nspec: { %s }\n"
HOST = """apiVersion: drey/v1
kind: Host
metadata: { name: %s, labels: { tier: front } }
spec: { address: ssh://root@%s.example.com }
"""

passed = failed = 0


def check(page, line, fault):
    """Counts one check; a fault is a sentence, or None."""
    global passed, failed
    if fault is None:
        passed += 1
        return
    failed += 1
    print(f"FAIL {page.relative_to(TOP)}:{line}: {fault}")


def blocks(text):
    """(line, language, the last line of text above it, content) of each fenced block."""
    lines = text.split("\n")
    above, at = "", 0
    while at < len(lines):
        match = re.match(r"```(\w*)$", lines[at])
        if not match:
            above = lines[at] if lines[at].strip() else above
            at += 1
            continue
        end = lines.index("```", at + 1)
        yield at + 1, match[1], above, "\n".join(lines[at + 1 : end])
        at = end + 1


def without_blocks(text):
    """The text with its fenced blocks blank, so that line numbers stay."""
    return re.sub(r"^```.*?^```$", lambda m: "\n" * m[0].count("\n"), text, flags=re.M | re.S)


# --- manifests


def manifest_fault(content):
    documents = re.split(r"^---$", content, flags=re.M)
    kinds = set(re.findall(r"^kind: (\w+)", content, flags=re.M))
    if not all(re.search(r"^apiVersion: drey/", document, flags=re.M) for document in documents):
        return "not every document of the block has an apiVersion; fence what is no manifest otherwise"
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "shown.yaml").write_text(content + "\n")
        if "Host" not in kinds:
            for host in "edge-1", "edge-2":
                (directory / f"{host}.yaml").write_text(HOST % (host, host))
        if "Project" not in kinds:
            hosts = "" if "Host" in kinds else "hosts: [edge-1, edge-2]"
            (directory / "project.yaml").write_text(PROJECT % hosts)
        for name in re.findall(r"\b(?:file|env_file|known_hosts): ([\w./-]+)", content):
            if not name.startswith("/"):
                path = directory / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("NAME=value\n")
                path.chmod(0o600)
        done = subprocess.run(
            [DREY, "validate", "-f", scratch], capture_output=True, text=True, timeout=60, check=False
        )
    # A warning is as bad: nobody shall copy it.
    said = done.stderr.strip()
    return None if done.returncode == 0 and not said else f"drey validate ends with {done.returncode}: {said}"


# --- quotations


def quotation_fault(page, above, content):
    link = re.search(r"\]\(([^)#]+\.[ch])\)", above)
    if not link:
        return "the line above the block does not link to the file that it is quoted from"
    source = page.parent / link[1]
    if not source.is_file():
        return f"{link[1]} is not there"
    text, at = source.read_text(), 0
    for part in re.split(r"^\s*\.\.\.$\n?", content, flags=re.M):
        part = part.rstrip("\n")
        if not part:
            continue
        found = text.find(part, at)
        if found < 0:
            return f"{link[1]} does not say (any more, or here):\n{part}"
        at = found + len(part)
    return None


# --- commands

HELP = {}


def help_of(command):
    if command not in HELP:
        done = subprocess.run([DREY, "help", *command], capture_output=True, text=True, timeout=60, check=False)
        HELP[command] = done.stdout if done.returncode == 0 else None
    return HELP[command]


def drey_fault(words):
    if "--" in words:
        words = words[: words.index("--")]
    command = ()
    # "backup run": as many words as name a command.
    for word in words[1:3]:
        if word.startswith("-") or help_of((*command, word)) is None:
            break
        command = (*command, word)
    if not command:
        general = help_of(())
        bad = [w for w in words[1:] if not (w.startswith("-") and re.search(rf"(^|\s|,){re.escape(w)}\b", general))]
        return f"there is no command or option {bad[0]}" if bad else None
    for word in words[len(command) + 1 :]:
        option = re.match(r"--[a-z-]+|-[a-z]$", word)
        if option and not re.search(rf"(^|[ ,]){re.escape(option[0])}\b", help_of(command), flags=re.M):
            return f"drey {' '.join(command)} has no option {option[0]}"
    return None


def make_fault(words):
    makefile = (TOP / "Makefile").read_text()
    suites = re.search(r"^SUITES = (.*)$", makefile, flags=re.M)[1].split()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.M))
    targets |= {target for line in re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.M) for target in line.split()}
    targets |= {f"check-{suite}" for suite in suites}
    for word in words[1:]:
        if not re.match(r"-|[A-Z_]+=", word) and word not in targets:
            return f"make has no target {word}"
    return None


def simple_commands(row):
    """The words of each command of a line of shell."""
    lexer = shlex.shlex(row, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    commands = [[]]
    for word in lexer:
        if set(word) <= set("|&;"):
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def command_faults(text):
    """(line, fault) of each command."""
    shown = []
    for line, language, _, content in blocks(text):
        for offset, row in enumerate(content.split("\n") if language in ("sh", "console") else []):
            if language == "console" and not row.startswith("$ "):
                continue
            shown.append((line + 1 + offset, row.removeprefix("$ ")))
    for offset, row in enumerate(without_blocks(text).split("\n")):
        shown += [(offset + 1, quoted) for quoted in re.findall(r"`((?:drey|make) [^`]+)`", row)]
    for line, row in shown:
        for words in simple_commands(row):
            words = words[1:] if words[:1] == ["sudo"] else words
            # What stands for something else is no name: KIND, DIR, "...".
            words = [word for word in words if not re.match(r"[A-Z|]+(\b|$)|\.\.\.", word) or "=" in word]
            if words[:1] == ["drey"]:
                yield line, drey_fault(words)
            elif words[:1] == ["make"]:
                yield line, make_fault(words)


# --- links


def anchors(text):
    heads = re.findall(r"^#+ (.*)$", without_blocks(text), flags=re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def link_fault(page, target):
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    if not file.exists():
        return f"{target} leads nowhere"
    if anchor and anchor not in anchors(file.read_text()):
        return f"{path or 'this page'} has no heading #{anchor}"
    return None


# --- traps

TRAPS = 44  # the last one drey found itself, the others are known from other tools


def trap_test_fault(number, file, name):
    """A container of 19-traps.sh, a change of the drift corpus, or a unit test."""
    folder = "tests/e2e" if file.endswith(".sh") else "tests/unit/reconcilers"
    source = TOP / folder / file
    if not source.is_file():
        return f"{folder}/{file} is not there"
    text, word = source.read_text(), re.escape(name)
    if file.endswith(".c"):
        found = re.search(rf"^Test\(\w+, {word}\)", text, flags=re.M)
    elif file.startswith("19-"):
        calls = re.findall(rf"\b(?:made|runs) ([\d,]+) {word} ", text)
        found = any(str(number) in call.split(",") for call in calls)
    else:
        found = re.search(rf"\bdrift {word} ", text)
    return None if found else f"{file} has no {name} for trap {number}"


def check_traps():
    page = TOP / "docs/traps.md"
    number = 0
    for line, row in enumerate(page.read_text().split("\n"), 1):
        match = re.match(r"\| (\d+) \|.*\| ([^|]+) \|$", row)
        if not match:
            continue
        number += 1
        check(page, line, None if int(match[1]) == number else f"trap {number} is missing")
        tests = re.findall(r"`([\w.-]+)`: ([\w-]+)", match[2])
        check(page, line, None if tests else f"trap {number} has no test")
        for file, name in tests:
            check(page, line, trap_test_fault(number, file, name))
    check(page, 1, None if number == TRAPS else f"{number} traps of {TRAPS}")


def main():
    check_traps()
    for page in PAGES:
        text = page.read_text()
        for line, language, above, content in blocks(text):
            if language == "yaml":
                check(page, line, manifest_fault(content))
            elif language == "c":
                check(page, line, quotation_fault(page, above, content))
        for line, fault in command_faults(text):
            check(page, line, fault)
        for offset, row in enumerate(without_blocks(text).split("\n")):
            for target in re.findall(r"\]\(([^)]+)\)", row):
                if not re.match(r"https?:|mailto:", target):
                    check(page, offset + 1, link_fault(page, target))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
