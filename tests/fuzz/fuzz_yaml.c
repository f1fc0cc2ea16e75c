/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as the only file of a manifest set: from YAML through templates, references and
 * decoding to what each host should have. It names no files, since there is no directory. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "manifests/set.h"
#include "reconcilers/reconciler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *environment(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "TAG") == 0 ? "1.2" : NULL;
}

/* A set that loads must also print, mask and be found again. */
static void use(const struct manifest_set *set, struct str *out)
{
	for (size_t h = 0; h < set_host_count(set); h++) {
		const struct desired *desired = set_desired(set, set_host(set, h)->name);
		for (size_t i = 0; i < desired->count; i++) {
			const struct resource *resource = desired->resources[i];
			if (desired_find(desired, resource->kind->name, resource->name) != resource)
				__builtin_trap();
			schema_print(resource->kind->spec, resource->spec, resource->secrets, 0,
				     out);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct manifest_options options = { .getenv = environment, .version = "0.1.0" };
	struct manifest_set *set = NULL;
	struct diagnostics diagnostics;
	struct error err = ERROR_INIT;
	struct str out;

	options.kinds = kinds_all(&options.kind_count);
	diagnostics_init(&diagnostics, arena);
	str_init(&out, 0);
	if (set_load_text(&options, "fuzz.yaml", (const char *)data, size, &diagnostics, &set,
			  &err) == 0)
		use(set, &out);
	else if (diagnostics.errors == 0)
		__builtin_trap(); /* refused without a word */
	diagnostics_print(&diagnostics, &out);
	json_decref(diagnostics_json(&diagnostics));
	str_done(&out);
	set_unref(set);
	diagnostics_done(&diagnostics);
	arena_free(arena);
	return 0;
}
