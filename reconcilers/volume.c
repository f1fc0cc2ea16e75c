/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes. An engine can change nothing about one, and making it anew would cost its data. */
#include "reconcilers/volume.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/external.h"

extern const struct reconciler reconciler_volume;

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* --- the table --- */

static json_t *decode_labels(const struct field *field, const json_t *at, const json_t *whole)
{
	(void)field;
	(void)whole;
	return json_is_object(at) ? ownership_strip(at) : json_incref((json_t *)at);
}

static const struct codec codec_labels = { .decode = decode_labels };

static const char *const states[] = { "present", "absent", NULL };
static const char *const on_remove[] = { "keep", "delete", NULL };
static const char *const on_change[] = { "refuse", "migrate", "recreate", NULL };

static const struct field fields[] = {
	{ .key = "name",
	  .type = &type_string,
	  .pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
	  .example = "web-data-1",
	  .doc = "The engine's name for its first generation; silence means the resource's own. "
		 "A restored or migrated volume gets a number behind it." },
	{ .key = "driver",
	  .type = &type_string,
	  .api = "/Driver",
	  .origin = ORIGIN_ENGINE,
	  .fallback = "\"local\"",
	  .effect = EFFECT_FORBIDDEN,
	  .example = "local",
	  .doc = "Volume driver that holds the data." },
	{ .key = "driver_opts",
	  .type = &type_map,
	  .api = "/DriverOpts",
	  .inspect = "/Options",
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_FORBIDDEN,
	  .example = "{ type: tmpfs, device: tmpfs, o: size=16m }",
	  .doc = "Options of the driver." },
	{ .key = "labels",
	  .type = &type_map,
	  .api = "/Labels",
	  .codec = &codec_labels,
	  .origin = ORIGIN_ENGINE,
	  .effect = EFFECT_FORBIDDEN,
	  .example = "{ com.example.tier: front }",
	  .doc = "Labels on the volume, given once: no engine changes them later, on_change says "
		 "what then; drey.* is drey's own." },
	{ .key = "external",
	  .type = &type_bool,
	  .fallback = "false",
	  .doc = "Somebody else's: must be there, is never made, removed or compared." },
	{ .key = "shared",
	  .type = &type_bool,
	  .fallback = "false",
	  .example = "true",
	  .doc = "Agrees that containers that drey has not made write to it beside those that it "
		 "starts; external volumes need no such word." },
	{ .key = "on_change",
	  .type = &type_enum,
	  .choices = on_change,
	  .fallback = "\"refuse\"",
	  .example = "migrate",
	  .doc = "What a changed driver, driver_opts or label does: refuse; migrate makes a new "
		 "volume and copies the files; recreate makes one without them, after a backup. "
		 "The old one is kept until `drey volume confirm`." },
	{ .key = "on_remove",
	  .type = &type_enum,
	  .choices = on_remove,
	  .fallback = "\"keep\"",
	  .example = "keep",
	  .doc = "What state: absent does to the data: keep refuses, delete removes it." },
	{ .key = "backup_first",
	  .type = &type_bool,
	  .fallback = "false",
	  .example = "true",
	  .doc = "Back it up before anything that could cost its data; refused where no Backup "
		 "names a directory." },
	{ .key = "state",
	  .type = &type_enum,
	  .choices = states,
	  .fallback = "\"present\"",
	  .effect = EFFECT_STATE,
	  .example = "present",
	  .doc = "present, or absent: removed, where on_remove agrees." },
	{ .key = "hosts",
	  .type = &type_strings,
	  .flags = FIELD_PROJECT,
	  .ref = "Host",
	  .doc = "Hosts it exists on; silence means wherever its users are." },
	{ .key = "host_selector",
	  .type = &type_map,
	  .flags = FIELD_PROJECT,
	  .doc = "Instead of hosts: the labels of the hosts it exists on." },
};

const struct schema volume_schema = {
	.name = "Volume",
	.doc = "A volume of an engine.",
	.fields = fields,
	.count = ARRAY_SIZE(fields),
};

/* --- names and generations --- */

const char *volume_first_engine_name(const struct resource *want)
{
	return resource_engine_name(want);
}

const char *volume_generation_name(const struct resource *want, int generation, struct arena *arena)
{
	const char *first = volume_first_engine_name(want);

	return generation <= 1 ? first : arena_printf(arena, "%s.%d", first, generation);
}

const struct object *volume_current(const struct pass *pass, const char *name)
{
	const struct kind *kind = &reconciler_volume.kind;
	const struct object *ours = pass_find_ours(pass, kind, name);
	const struct resource *want;

	if (ours)
		return ours;
	want = desired_find(pass->desired, kind->name, name);
	return pass_find_engine_name(pass, kind, want ? volume_first_engine_name(want) : name);
}

const struct object *volume_next_generation(const struct pass *pass, const struct object *current,
					    const struct object *after)
{
	const struct resource *want =
		current->ours ? desired_find(pass->desired, current->kind->name, current->own.name)
			      : NULL;
	int least = after ? after->own.generation + 1 : 1;
	const struct object *next = NULL;

	for (size_t i = 0; want && i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];
		int generation = object->own.generation;

		if (object->kind == current->kind && object->ours && !object->unfinished &&
		    str_eq(object->own.name, current->own.name) && generation >= least &&
		    generation < current->own.generation &&
		    (!next || generation < next->own.generation) &&
		    str_eq(object->engine_name,
			   volume_generation_name(want, generation, pass->arena)))
			next = object;
	}
	return next;
}

const char *volume_engine_name(const struct pass *pass, const char *name)
{
	const struct resource *want = desired_find(pass->desired, "Volume", name);
	const struct object *current;

	if (!want)
		return name;
	current = resource_bool(want, "external") ? NULL : volume_current(pass, name);
	return current ? current->engine_name : volume_first_engine_name(want);
}

/* --- seeing --- */

static void release(void *json)
{
	json_decref(json);
}

static int volume_listed(struct pass *pass, const json_t *list, struct error *err)
{
	const json_t *volumes = json_object_get(list, "Volumes");
	json_t *item;
	size_t i;

	if (!json_is_object(list) || (!json_is_array(volumes) && !json_is_null(volumes)))
		return error_set(err, ERROR_REMOTE, "the engine's list of volumes is no list");
	json_array_foreach (volumes, i, item) {
		const char *name = text(item, "Name");
		struct object *object;
		json_t *observed;

		if (!name)
			continue;
		object = pass_add_object(pass, &reconciler_volume.kind, name, name,
					 json_object_get(item, "Labels"));
		observed = schema_observe(&volume_schema, item);
		arena_defer(pass->arena, release, observed);
		object->observed = observed;
	}
	return 0;
}

static bool is_verified(const struct pass *pass, const struct object *volume)
{
	const char *name = arena_printf(pass->arena, "%s" VOLUME_VERIFIED, volume->engine_name);
	const struct object *marker = pass_find_engine_name(pass, volume->kind, name);

	return marker && str_eq(text(marker->labels, LABEL_VERIFIED), volume->own.uid);
}

static bool is_mounted(const struct pass *pass, const struct object *volume)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];
		const json_t *mount;
		size_t j;

		if (!object->ours || object->kind == volume->kind)
			continue;
		json_array_foreach (json_object_get(object->inspect, "Mounts"), j, mount)
			if (str_eq(text(mount, "Name"), volume->engine_name))
				return true;
	}
	return false;
}

static bool writes_to(const struct object *container, const char *volume)
{
	const json_t *mount;
	size_t i;

	json_array_foreach (json_object_get(container->inspect, "Mounts"), i, mount) {
		if (str_eq(text(mount, "Name"), volume) &&
		    json_is_true(json_object_get(mount, "RW")))
			return true;
	}
	return false;
}

/* Has it run since? Never started is "0001-01-01T00:00:00Z" in an engine's tongue. */
static bool has_run_since(const struct object *container, const json_t *still)
{
	const char *started = text(json_object_get(container->inspect, "State"), "StartedAt");
	const char *then = text(still, container->id);

	if (str_eq(container->state, "running") || str_eq(container->state, "paused") ||
	    str_eq(container->state, "restarting"))
		return true;
	return started && !str_has_prefix(started, "0001-") && !str_eq(started, then);
}

/* Somebody has written to the volume whose place it takes after that was copied. */
static bool is_outdated(const struct pass *pass, const struct object *volume)
{
	const char *name = arena_printf(pass->arena, "%s" VOLUME_VERIFIED, volume->engine_name);
	const struct object *marker = pass_find_engine_name(pass, volume->kind, name);
	const char *left = marker ? text(marker->labels, LABEL_LEFT) : NULL;
	const char *label = marker ? text(marker->labels, LABEL_STILL) : NULL;
	json_t *still = label ? json_loads(label, 0, NULL) : NULL;
	bool outdated = false;

	for (size_t i = 0; left && !outdated && i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		outdated = object->ours && object->kind != volume->kind &&
			   writes_to(object, left) && has_run_since(object, still);
	}
	json_decref(still);
	return outdated;
}

/* A generation above the first counts only once it is known to be whole: see volume.h. */
static int volume_observed(struct pass *pass, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < pass->observed.count; i++) {
		struct object *volume = pass->observed.objects[i];

		if (volume->kind == &reconciler_volume.kind && volume->ours &&
		    volume->own.generation > 1)
			volume->unfinished =
				!is_mounted(pass, volume) &&
				(!is_verified(pass, volume) || is_outdated(pass, volume));
	}
	return 0;
}

/* --- comparing --- */

static void refuse(struct action *action, const char *reason)
{
	action->verdict = VERDICT_REFUSE;
	action->reason = reason;
}

bool volume_is_fleeting(const char *driver, const json_t *options)
{
	const char *type = text(options, "type");

	return (!driver || strcmp(driver, "local") == 0) &&
	       (str_eq(type, "tmpfs") || str_eq(type, "ramfs"));
}

static bool is_fleeting(const json_t *spec)
{
	return volume_is_fleeting(text(spec, "driver"), json_object_get(spec, "driver_opts"));
}

static void refuse_changes(struct action *action, struct arena *arena)
{
	bool labels_only = true;

	VEC_FOREACH (const struct change *, change, &action->changes.list)
		labels_only = labels_only && strcmp(change->field->key, "labels") == 0;
	if (labels_only) {
		refuse(action,
		       "no engine changes the labels of a volume; 'on_change: migrate' in its "
		       "spec makes a new one with its files, 'on_change: recreate' one "
		       "without them, after a backup, and 'ignore: [labels]' in its metadata "
		       "leaves them as they are");
		return;
	}
	action->loses_data = true;
	refuse(action,
	       arena_printf(
		       arena,
		       "no engine changes %s of a volume, and a new one would be empty; put it "
		       "back in the manifest, or say what shall be done: 'on_change: migrate' "
		       "copies its files into a new one, 'on_change: recreate' makes an empty "
		       "one after a backup, for 'drey backup restore' to fill",
		       action->changes.list.items[0].path));
}

/* Containers stand still while files are copied, and a memory file system is gone by then. */
static void migrate(struct action *action, const json_t *expected, struct arena *arena)
{
	const char *kept = action->have->engine_name;

	if (is_fleeting(expected) || is_fleeting(action->have->observed)) {
		refuse(action,
		       arena_printf(
			       arena,
			       "%s of type %s holds its files only while a container has it "
			       "mounted, so that none can be copied while its users stand "
			       "still; 'on_change: recreate' makes an empty one",
			       is_fleeting(expected) ? "the new volume," : kept,
			       text(json_object_get(is_fleeting(expected) ? expected
									  : action->have->observed,
						    "driver_opts"),
				    "type")));
		return;
	}
	action->verdict = VERDICT_REPLACE;
	action->reason = arena_printf(
		arena,
		"no engine changes a volume: a new one gets its files, all compared; '%s' is kept "
		"until `drey volume confirm %s`",
		kept, action->want->name);
}

static void recreate(struct action *action, struct arena *arena)
{
	action->verdict = VERDICT_REPLACE;
	action->backup_first = true;
	action->reason = arena_printf(
		arena,
		"no engine changes a volume: a new one takes its place without its files; '%s' is "
		"kept until `drey volume confirm %s`",
		action->have->engine_name, action->want->name);
}

static void settle_changes(struct action *action, const json_t *expected, struct arena *arena)
{
	const char *how = resource_string(action->want, "on_change");

	if (str_eq(how, "migrate"))
		migrate(action, expected, arena);
	else if (str_eq(how, "recreate"))
		recreate(action, arena);
	else
		refuse_changes(action, arena);
	VEC_FOREACH (struct change *, change, &action->changes.list) {
		if (action->verdict == VERDICT_REPLACE)
			change->effect = EFFECT_REPLACE;
	}
}

bool volume_is_generation_of(const struct object *object, const struct resource *want)
{
	return object->kind == &reconciler_volume.kind && object->ours &&
	       str_eq(object->own.name, want->name);
}

static const struct object *unfinished_of(const struct pass *pass, const char *name)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *object = pass->observed.objects[i];

		if (object->kind == &reconciler_volume.kind && object->unfinished &&
		    str_eq(object->own.name, name))
			return object;
	}
	return NULL;
}

static void volume_compare(const struct pass *pass, struct action *action, struct arena *arena)
{
	const struct resource *want = action->want;
	const struct object *have = action->have;
	json_t *expected;

	action->changes.arena = arena;
	if (resource_bool(want, "external")) {
		action->verdict = VERDICT_KEEP;
		if (!have)
			refuse(action, arena_printf(arena,
						    "it is external, and the host has no "
						    "volume '%s'",
						    volume_first_engine_name(want)));
		return;
	}
	if (!have) {
		const struct object *doubtful = unfinished_of(pass, want->name);

		action->verdict = VERDICT_CREATE;
		if (doubtful)
			refuse(action,
			       arena_printf(arena,
					    "volume '%s' is a generation of it, but nothing says "
					    "that it was restored whole; a new one would be empty: "
					    "restore anew, or remove that volume",
					    doubtful->engine_name));
		return;
	}
	if (!have->ours && !resource_adopts(want)) {
		refuse(action,
		       arena_printf(arena,
				    "a volume named '%s' is there that was not made by drey for "
				    "this project; say external: true, or take it over with "
				    "metadata.adopt: true",
				    have->engine_name));
		return;
	}
	expected = schema_expect(&volume_schema, want->spec, NULL);
	arena_defer(arena, release, expected);
	schema_diff(&volume_schema,
		    have->ours ? have->observed : adopted_observed(have->observed, expected, arena),
		    expected, resource_ignore(want), &action->changes);
	action->verdict = VERDICT_KEEP;
	if (action->changes.list.count)
		settle_changes(action, expected, arena);
}

/* --- creating --- */

int volume_create_body(const struct pass *pass, const struct resource *want, int generation,
		       char ret_uid[33], json_t **ret_body, struct error *err)
{
	json_t *body = json_object(), *labels;

	if (schema_encode(&volume_schema, want->spec, engine_api(pass->engine), body, err) < 0) {
		json_decref(body);
		return -1;
	}
	json_object_set_new(body, "Name",
			    json_string(volume_generation_name(want, generation, pass->arena)));
	labels = json_object_get(body, "Labels");
	if (!labels) {
		labels = json_object();
		json_object_set_new(body, "Labels", labels);
	}
	ownership_write(labels, pass->project, want, pass->revision, ret_uid);
	json_object_set_new(labels, LABEL_GENERATION, json_sprintf("%d", generation));
	*ret_body = body;
	return 0;
}

const struct reconciler reconciler_volume = {
	.kind = {
		.name = "Volume",
		.doc = "A volume of an engine, on each host where it is placed or used.",
		.scope = SCOPE_HOST,
		.phase = 20,
		.spec = &volume_schema,
		.follows_users = true,
		.verify = external_verify,
		.example = "apiVersion: drey/v1\n"
			   "kind: Volume\n"
			   "metadata: { name: web-data }\n"
			   "spec: { labels: { com.example.tier: front } }\n",
	},
	.list_path = "/volumes",
	.listed = volume_listed,
	.observed = volume_observed,
	.compare = volume_compare,
	.apply = volume_apply,
	.importer = &volume_importer,
};
