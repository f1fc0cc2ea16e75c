/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FNV-1a (draft-eastlake-fnv), to tell one thing from another in memory. Not for strangers'
 * input where a collision would do harm. */
#pragma once

#include <stdint.h>

#define HASH_INIT UINT64_C(0xcbf29ce484222325)

/* Continues a hash with a text and its end; NULL counts as a text of its own. */
uint64_t hash_text(uint64_t hash, const char *text);
