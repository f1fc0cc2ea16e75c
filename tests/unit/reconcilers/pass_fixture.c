/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/reconcilers/pass_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/engine_internal.h"

static struct arena *arena;
static struct manifest_set *set;
static struct pass pass;
static struct engine engine;
static struct str faults;

static void release(void *json)
{
	json_decref(json);
}

static json_t *keep(json_t *json)
{
	arena_defer(arena, release, json);
	return json;
}

void pass_setup(void)
{
	arena = arena_new();
	set = NULL;
	str_init(&faults, 0);
}

void pass_teardown(void)
{
	arena_free(arena);
	set_unref(set);
	str_done(&faults);
}

static int load(const char *yaml)
{
	char dir[] = "/tmp/drey-pass-XXXXXX";
	struct manifest_options options = { .dir = dir, .version = DREY_VERSION };
	struct diagnostics diagnostics;
	struct error err = ERROR_INIT;

	cr_assert(mkdtemp(dir));
	CLEANUP(cleanup_free) char *path = xasprintf("%s/set.yaml", dir);
	cr_assert_eq(io_write_file(path, 0600, yaml, strlen(yaml), &err), 0, "%s", err.text);
	options.kinds = kinds_all(&options.kind_count);
	diagnostics_init(&diagnostics, arena);
	set_unref(set);
	set = NULL;
	int ret = set_load(&options, &diagnostics, &set, &err);
	str_clear(&faults);
	VEC_FOREACH (struct diagnostic *, it, &diagnostics.list)
		str_printf(&faults, "%s\n", it->text);
	diagnostics_done(&diagnostics);
	unlink(path);
	rmdir(dir);
	return ret;
}

const char *pass_faults(const char *yaml)
{
	load(yaml);
	return faults.data;
}

struct pass *pass_manifests(const char *yaml)
{
	cr_assert_eq(load(yaml), 0, "%s", faults.data);
	pass = (struct pass){
		.arena = arena,
		.engine = &engine,
		.set = set,
		.desired = set_desired(set, "local"),
		.project = "p",
		.revision = "r1",
	};
	pass.observed.images = keep(json_object());
	pass_api(41);
	pass_info("{}");
	return &pass;
}

json_t *pass_json(const char *text)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(text);
	json_error_t error;

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	json_t *value = json_loads(copy, JSON_DECODE_ANY, &error);
	cr_assert(value, "%s: %s", text, error.text);
	return keep(value);
}

json_t *pass_data(const char *name)
{
	CLEANUP(cleanup_free) char *path = xasprintf("tests/unit/data/%s.json", name);
	json_error_t error;
	json_t *value = json_load_file(path, 0, &error);

	cr_assert(value, "%s: %s", path, error.text);
	return keep(value);
}

void pass_api(int api)
{
	engine = (struct engine){ .name = (char *)"h1", .api = api };
	pass.observed.engine_api = api;
}

void pass_info(const char *json)
{
	json_t *info = pass_json("{'Name': 'h1', 'CgroupVersion': '2', 'MemoryLimit': true,"
				 "'SwapLimit': true, 'PidsLimit': true, 'CPUShares': true,"
				 "'CPUSet': true, 'CpuCfsPeriod': true, 'CpuCfsQuota': true,"
				 "'OomKillDisable': false, 'KernelMemory': false}");

	json_object_update(info, pass_json(json));
	pass.observed.info = info;
}

void pass_has_image(const char *reference, json_t *inspect)
{
	json_object_set(pass.observed.images, reference, inspect);
	json_object_set(pass.observed.images, json_string_value(json_object_get(inspect, "Id")),
			inspect);
}

static void add_labels(json_t *labels, const char *kind, const char *name)
{
	if (!name)
		return;
	json_object_set_new(labels, LABEL_PROJECT, json_string("p"));
	json_object_set_new(labels, LABEL_KIND, json_string(kind));
	json_object_set_new(labels, LABEL_NAME, json_string(name));
	json_object_set_new(labels, LABEL_FORMAT, json_string("1"));
	if (!json_object_get(labels, LABEL_UID))
		json_object_set_new(labels, LABEL_UID, json_string("u1"));
}

static json_t *labels_of(json_t *object)
{
	json_t *labels = json_object_get(object, "Labels");

	if (!json_is_object(labels)) {
		labels = json_object();
		json_object_set_new(object, "Labels", labels);
	}
	return labels;
}

struct object *pass_has_container(json_t *inspect, const char *name)
{
	json_t *labels = labels_of(json_object_get(inspect, "Config"));
	struct error err = ERROR_INIT;
	struct object *object;

	add_labels(labels, "Container", name);
	object = pass_add_object(&pass, &reconciler_container.kind,
				 json_string_value(json_object_get(inspect, "Id")),
				 json_string_value(json_object_get(inspect, "Name")) + 1, labels);
	cr_assert_eq(container_inspected(&pass, object, inspect, &err), 0, "%s", err.text);
	return object;
}

static struct object *list_one(const struct reconciler *reconciler, json_t *list)
{
	struct error err = ERROR_INIT;

	cr_assert_eq(reconciler->listed(&pass, keep(list), &err), 0, "%s", err.text);
	return pass.observed.objects[pass.observed.count - 1];
}

struct object *pass_has_network(json_t *item, const char *name)
{
	add_labels(labels_of(item), "Network", name);
	return list_one(&reconciler_network, json_pack("[O]", item));
}

struct object *pass_has_volume(json_t *item, const char *name)
{
	add_labels(labels_of(item), "Volume", name);
	return list_one(&reconciler_volume, json_pack("{s:[O]}", "Volumes", item));
}

static void free_changes(void *action)
{
	vec_done(&((struct action *)action)->changes.list);
}

struct action *pass_compare(const char *kind, const char *name)
{
	struct action *action = arena_new_of(arena, struct action);
	const struct reconciler *reconciler = reconciler_find(kind);
	struct error err = ERROR_INIT;
	size_t count;
	const struct reconciler *const *all = reconcilers_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (all[i]->observed)
			cr_assert_eq(all[i]->observed(&pass, &err), 0, "%s", err.text);
	}
	action->kind = &reconciler->kind;
	action->name = name;
	action->want = desired_find(pass.desired, kind, name);
	cr_assert(action->want, "no %s/%s is declared", kind, name);
	action->have = pass_find_ours(&pass, action->kind, name);
	if (!action->have)
		action->have = pass_find_engine_name(&pass, action->kind,
						     resource_engine_name(action->want));
	reconciler->compare(&pass, action, arena);
	arena_defer(arena, free_changes, action);
	return action;
}

const char *pass_changes(const struct action *action)
{
	static const char *const effects[] = { "none",	"live",	   "connect",
					       "state", "replace", "forbidden" };
	struct str text;

	str_init(&text, 0);
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		str_printf(&text, "%s%s: ", text.len ? "; " : "", change->path);
		schema_print_value(change->leaf, change->before, &text);
		str_append(&text, " -> ");
		schema_print_value(change->leaf, change->after, &text);
		str_printf(&text, " [%s]", effects[change->effect]);
	}
	char *copy = arena_strdup(arena, text.data);
	str_done(&text);
	return copy;
}
