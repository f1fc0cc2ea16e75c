/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/external.h"

#include <string.h>

#include "controller/base/mem.h"

static void fault(const struct resource *resource, struct diagnostics *diagnostics, const char *key,
		  const char *message)
{
	CLEANUP(cleanup_free) char *at = xasprintf("spec.%s", key);

	diagnose(diagnostics, SEVERITY_ERROR, node_find(resource->node, at), "%s: %s", at, message);
}

void external_verify(const struct resource *resource, struct diagnostics *diagnostics)
{
	const struct schema *schema = resource->kind->spec;

	if (!resource_bool(resource, "external"))
		return;
	schema_foreach (schema, field) {
		if (field->api && strcmp(field->key, "name") != 0 &&
		    resource_get(resource, field->key))
			fault(resource, diagnostics, field->key,
			      "means nothing where external is true: drey does not make it");
	}
	if (strcmp(resource_string(resource, "state"), "absent") == 0)
		fault(resource, diagnostics, "state", "what is external is not drey's to remove");
}
