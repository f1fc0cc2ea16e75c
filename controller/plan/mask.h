/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which values of a plan people may see, and how foreign text is made fit for a terminal.
 *
 * A secret of the manifests is masked on both sides of a change. What an engine shows in
 * environment, labels and options may be a secret that the manifests no longer know, or never
 * did: it is masked unless the manifest states that very value in plain.
 */
#pragma once

#include "reconcilers/reconciler.h"

bool mask_before(const struct action *action, const struct change *change);
bool mask_after(const struct action *action, const struct change *change);

/* Appends text with C0, DEL, C1, bidirectional controls and line separators as \xNN or \u{N}, and
 * bytes that are not UTF-8 as \xNN: a name on a host must not drive the reader's terminal. */
void text_escape(const char *text, struct str *out);
