/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing array of any type: `VEC(struct step *) steps = { 0 };`, then vec_push(&steps, s).
 * Elements are `steps.items[i]`, `steps.count` of them; vec_done() frees the array only.
 */
#pragma once

#include "controller/base/mem.h"

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *items;                                                                       \
		size_t count, room;                                                                \
	}

#define vec_push(v, item)                                                                          \
	do {                                                                                       \
		if ((v)->count == (v)->room) {                                                     \
			(v)->room = (v)->room ? (v)->room * 2 : 8;                                 \
			(v)->items = xreallocarray((v)->items, (v)->room, sizeof(*(v)->items));    \
		}                                                                                  \
		(v)->items[(v)->count++] = (item);                                                 \
	} while (0)

#define vec_done(v)                                                                                \
	do {                                                                                       \
		free((v)->items);                                                                  \
		(v)->items = NULL;                                                                 \
		(v)->count = (v)->room = 0;                                                        \
	} while (0)

/* for (each element pointer `it`): VEC_FOREACH(struct step *, it, &steps) */
#define VEC_FOREACH(ptr_type, it, v)                                                               \
	for (ptr_type it = (v)->items; it && it < (v)->items + (v)->count; it++)
