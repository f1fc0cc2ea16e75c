#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py PROMPT ANSWER COMMAND...: runs the command on a terminal of its own and prints what it shows.

Once it has shown PROMPT (a regular expression; "" for never) ANSWER is typed, with ^C as the interrupt key. Ends with
the command's exit code."""

import os
import pty
import re
import sys

LARGEST = 1 << 20

prompt, answer, command = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(command[0], command)
shown, typed = b"", not prompt
while len(shown) < LARGEST:
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # the last one on the terminal has gone
        break
    if not piece:
        break
    shown += piece
    if not typed and re.search(prompt.encode(), shown):
        typed = True
        os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\n")
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(status) % 256)
