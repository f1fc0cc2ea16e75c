/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON pointers (RFC 6901): where a row stands in the engine's JSON. */
#pragma once

#include <jansson.h>

/* What stands there, borrowed; NULL when nothing does or a token leads nowhere. "" is the whole
 * document. Allocates nothing. */
const json_t *pointer_get(const json_t *document, const char *pointer);

/* Puts a value (taken) there and makes the objects that lead to it; what stands in the way and
 * is no object is replaced. An object is merged member by member with an object that is there
 * already, a list is appended to a list, everything else replaces. Every token names a member. */
void pointer_merge(json_t *document, const char *pointer, json_t *value);
