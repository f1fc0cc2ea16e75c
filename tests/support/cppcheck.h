/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cppcheck must know of the libraries' macros; it reads no system headers. */
#pragma once

#define json_array_foreach(array, index, value)                                                    \
	for (index = 0; index < json_array_size(array) && (value = json_array_get(array, index));  \
	     index++)
#define json_object_foreach(object, key, value)                                                    \
	for (key = json_object_iter_key(json_object_iter(object));                                 \
	     key && (value = json_object_iter_value(json_object_key_to_iter(key)));                \
	     key = json_object_iter_key(                                                           \
		     json_object_iter_next(object, json_object_key_to_iter(key))))
#define json_object_foreach_safe(object, next, key, value) json_object_foreach (object, key, value)

#define STAILQ_HEAD(name, type)                                                                    \
	struct {                                                                                   \
		struct type *stqh_first, **stqh_last;                                              \
	}
#define STAILQ_ENTRY(type)                                                                         \
	struct {                                                                                   \
		struct type *stqe_next;                                                            \
	}
#define LIST_HEAD(name, type)                                                                      \
	struct {                                                                                   \
		struct type *lh_first;                                                             \
	}
#define LIST_ENTRY(type)                                                                           \
	struct {                                                                                   \
		struct type *le_next, **le_prev;                                                   \
	}
