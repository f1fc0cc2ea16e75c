/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which values of a plan people may see, and how foreign text is made fit for a terminal.
 *
 * A secret of the manifests is masked on both sides of a change, and one that a row has lost since
 * on the side of the host: a label tells which rows of a container had one (LABEL_SECRETS). What an
 * engine shows in environment, labels and options may be a secret that the manifests no longer
 * know, or never did: it is masked unless the manifest states that very value in plain. So it is
 * with the command line of a container that drey has not made.
 */
#pragma once

#include "reconcilers/reconciler.h"

bool mask_before(const struct action *action, const struct change *change);
bool mask_after(const struct action *action, const struct change *change);
/* The change's path; of an element that is masked, which the path would show, its number among
 * those of its row stands for it: "extra_hosts[1]". The caller frees it. */
char *mask_path(const struct action *action, const struct change *change);

/* Appends text with C0, DEL, C1, bidirectional controls and line separators as \xNN or \u{N}, and
 * bytes that are not UTF-8 as \xNN: a name on a host must not drive the reader's terminal. Nor a
 * CI runner, to which "##[command]" is one anywhere in a line: its second # is \x23. */
void text_escape(const char *text, struct str *out);
