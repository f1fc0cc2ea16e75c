/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host and its manifests from which the tests build plans; each file of tests has its own. */
#pragma once

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/plan/plan.h"
#include "reconcilers/container_compare.h"
#include "tests/unit/manifests/schema_fixture.h"

#define SHARED __attribute__((unused)) static

enum { ROOM = 64 };

struct fixture {
	struct arena *arena;
	struct resource host;
	struct resource resources[ROOM];
	const struct resource *list[ROOM];
	struct desired desired;
	struct pass pass;
	struct plan_options options;
	struct plan plan;
	struct error err;
};

static struct fixture f;

SHARED void release(void *json)
{
	json_decref(json);
}

SHARED const json_t *keep(json_t *json)
{
	arena_defer(f.arena, release, json);
	return json;
}

SHARED void setup(void)
{
	f = (struct fixture){ .arena = arena_new() };
	f.host = (struct resource){ .name = "h1" };
	f.desired = (struct desired){ .host = &f.host, .resources = f.list };
	f.pass = (struct pass){
		.arena = f.arena, .desired = &f.desired, .project = "shop", .revision = "r"
	};
	f.pass.observed.images = json_object();
	keep(f.pass.observed.images);
	f.pass.observed.info = keep(json_object());
	f.options = (struct plan_options){ .max_removals_percent = 10, .max_removals = 3 };
	json_object_set_new(f.pass.observed.images, "busy:1",
			    fixture_json("{'Id': 'sha256:1', 'Config': {}}"));
}

SHARED void teardown(void)
{
	arena_free(f.arena);
}

SHARED json_t *defaults_of(const struct schema *schema)
{
	json_t *defaults = json_object();

	schema_foreach (schema, field) {
		if (field->fallback)
			json_object_set_new(defaults, field->key,
					    json_loads(field->fallback, JSON_DECODE_ANY, NULL));
	}
	return defaults;
}

SHARED struct resource *want(const char *kind, const char *name, const char *spec)
{
	struct resource *resource = &f.resources[f.desired.count];

	*resource = (struct resource){
		.kind = &reconciler_find(kind)->kind,
		.name = name,
		.host = "h1",
		.metadata = keep(json_object()),
		.spec = keep(fixture_json(spec)),
		.secrets = keep(json_object()),
		.digest = "d",
	};
	resource->defaults = keep(defaults_of(resource->kind->spec));
	f.list[f.desired.count++] = resource;
	return resource;
}

SHARED struct object *add_object(const char *kind, const char *engine_name, const char *name)
{
	json_t *labels =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", LABEL_PROJECT, "shop", LABEL_KIND,
			  kind, LABEL_NAME, name, LABEL_UID, "0123456789abcdef0123456789abcdef",
			  LABEL_SPEC, "d", LABEL_REVISION, "r", LABEL_FORMAT, "1");

	return pass_add_object(&f.pass, &reconciler_find(kind)->kind,
			       arena_printf(f.arena, "id-of-%s", engine_name), engine_name,
			       keep(labels));
}

SHARED struct object *add_foreign(const char *kind, const char *engine_name)
{
	return pass_add_object(&f.pass, &reconciler_find(kind)->kind,
			       arena_printf(f.arena, "id-of-%s", engine_name), engine_name,
			       keep(json_object()));
}

/* The container as it stands when in step. */
SHARED struct object *run(const struct resource *resource)
{
	struct object *object = add_object("Container", resource->name, resource->name);
	json_t *resolved = container_resolve(&f.pass, resource);
	const char *warning;
	json_t *observed = container_expected(&f.pass, resolved, pass_image(&f.pass, "busy:1"),
					      f.arena, &warning);
	json_t *networks = json_object();
	const char *network;
	json_t *endpoint;

	json_object_foreach (json_object_get(observed, "networks"), network, endpoint)
		json_object_set_new(networks, network, json_object());
	object->inspect = keep(json_pack("{s:{s:o}}", "NetworkSettings", "Networks", networks));
	object->observed = keep(observed);
	object->state = "running";
	object->image_id = "sha256:1";
	json_decref(resolved);
	return object;
}

SHARED void set_observed(struct object *object, const char *key, const char *value)
{
	json_object_set_new((json_t *)object->observed, key, json_string(value));
}

SHARED struct object *add_network(const char *name)
{
	struct object *object = add_object("Network", name, name);
	json_t *observed =
		schema_expect(object->kind->spec, keep(json_object()), keep(json_object()));

	json_object_set_new(observed, "name", json_string(name));
	object->observed = keep(observed);
	return object;
}

SHARED struct object *add_volume(const char *name)
{
	struct object *object = add_object("Volume", name, name);

	object->observed =
		keep(schema_expect(object->kind->spec, keep(json_object()), keep(json_object())));
	return object;
}

SHARED void build(void)
{
	int rc = plan_build(&f.pass, &f.options, f.arena, &f.plan, &f.err);

	cr_assert_eq(rc, 0, "%s", f.err.text);
}

SHARED const struct action *find(const char *kind, const char *name)
{
	for (size_t i = 0; i < f.plan.count; i++) {
		const struct action *action = &f.plan.actions[i];

		if (strcmp(action->kind->name, kind) == 0 && strcmp(action->name, name) == 0)
			return action;
	}
	return NULL;
}

SHARED void expect_verdict(const char *kind, const char *name, enum verdict verdict)
{
	const struct action *action = find(kind, name);

	cr_assert_not_null(action, "%s/%s is not in the plan", kind, name);
	cr_expect_eq(action->verdict, verdict, "%s/%s: %s, %s", kind, name,
		     verdict_name(action->verdict), action->reason ? action->reason : "no reason");
}

SHARED bool comes_after(const char *kind, const char *name, const char *kind2, const char *name2)
{
	const struct action *action = find(kind, name), *before = find(kind2, name2);

	for (size_t i = 0; action && i < action->after_count; i++) {
		cr_expect_lt(action->after[i], (size_t)(action - f.plan.actions),
			     "a plan is carried out from its start to its end");
		if (&f.plan.actions[action->after[i]] == before)
			return true;
	}
	return false;
}
