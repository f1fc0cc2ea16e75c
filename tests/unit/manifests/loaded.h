/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A manifest set from a text, for tests: with every kind there is and an environment of its own. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "manifests/set.h"
#include "reconcilers/reconciler.h"

struct loaded {
	struct arena *arena;
	struct diagnostics diagnostics;
	struct manifest_set *set; /* NULL: it has faults */
	struct error err;
	char told[64]; /* the hosts that could be reached for while loading went on */
};

static inline void loaded_told(void *ctx, const struct resource *host)
{
	struct loaded *loaded = ctx;
	size_t len = strlen(loaded->told);

	snprintf(loaded->told + len, sizeof(loaded->told) - len, "%s ", host->name);
}

static inline const char *loaded_environment(void *ctx, const char *name)
{
	(void)ctx;
	if (strcmp(name, "TAG") == 0 || strcmp(name, "RELEASE_TAG") == 0)
		return "1.2";
	if (strcmp(name, "PORT") == 0)
		return "8081";
	if (strcmp(name, "PASSWORD") == 0)
		return "hunter2";
	return strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static inline void loaded_init(struct loaded *loaded, const char *dir, const char *text)
{
	struct manifest_options options = {
		.dir = dir,
		.getenv = loaded_environment,
		.version = "0.1.0",
		.host = loaded_told,
		.host_ctx = loaded,
	};

	*loaded = (struct loaded){ .arena = arena_new() };
	options.kinds = kinds_all(&options.kind_count);
	diagnostics_init(&loaded->diagnostics, loaded->arena);
	int r = text ? set_load_text(&options, "t.yaml", text, strlen(text), &loaded->diagnostics,
				     &loaded->set, &loaded->err)
		     : set_load(&options, &loaded->diagnostics, &loaded->set, &loaded->err);
	cr_assert_eq(r == 0, loaded->set != NULL);
}

static inline void loaded_done(struct loaded *loaded)
{
	set_unref(loaded->set);
	diagnostics_done(&loaded->diagnostics);
	arena_free(loaded->arena);
}

/* The first error. */
static inline const char *loaded_fault(const struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->diagnostics.list.count; i++)
		if (loaded->diagnostics.list.items[i].severity == SEVERITY_ERROR)
			return loaded->diagnostics.list.items[i].text;
	return "";
}

/* It must be good. */
static inline void loaded_good(struct loaded *loaded, const char *text)
{
	loaded_init(loaded, NULL, text);
	cr_assert(loaded->set, "%s: %s", loaded->err.text, loaded_fault(loaded));
}

static inline const struct resource *loaded_find(const struct loaded *loaded, const char *host,
						 const char *kind, const char *name)
{
	const struct desired *desired = set_desired(loaded->set, host);

	cr_assert(desired, "no host %s", host);
	return desired_find(desired, kind, name);
}
