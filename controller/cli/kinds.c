/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/kinds.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"

#include <strings.h>

const struct kind *kind_named(const char *name, struct error *err)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);
	CLEANUP(cleanup_free) const char **names = xcalloc(count, sizeof(*names));

	for (size_t i = 0; i < count; i++) {
		names[i] = kinds[i]->name;
		if (strcasecmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	const char *near = str_nearest(name, names, count);
	error_set(err, ERROR_NOT_FOUND, "there is no kind '%s'", name);
	if (near)
		error_hint(err, "did you mean '%s'?", near);
	else
		error_hint(err, "'drey explain' lists them");
	return NULL;
}
