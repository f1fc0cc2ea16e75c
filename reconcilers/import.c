/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/import.h"

#include <ctype.h>
#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "manifests/pattern.h"
#include "manifests/schema_types.h"
#include "manifests/yaml.h"
#include "reconcilers/container.h"

/* A row may bring others with it (an entry point drops the image's command). */
enum { ROUNDS_MAX = 4 };

static void release(void *json)
{
	json_decref(json);
}

static json_t *keep(struct import *import, json_t *value)
{
	arena_defer(import->pass->arena, release, value);
	return value;
}

void import_note(struct import *import, struct import_item *item, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const char *text = arena_vprintf(import->pass->arena, fmt, ap);
	va_end(ap);
	json_array_append_new(item->notes, json_string(text));
}

struct import_item *import_find(const struct import *import, const char *kind,
				const char *engine_name)
{
	for (size_t i = 0; i < import->count; i++) {
		struct import_item *item = import->items[i];

		if (strcmp(item->reconciler->kind.name, kind) == 0 && item->object &&
		    str_eq(item->object->engine_name, engine_name))
			return item;
	}
	return NULL;
}

/* --- names --- */

/* Does the set use the name, on whichever host, or an item already? */
static bool is_taken(const struct import *import, const char *kind, const char *name)
{
	for (size_t i = 0; i < import->count; i++) {
		const struct resource *other = &import->items[i]->resource;

		if (other->name && strcmp(other->kind->name, kind) == 0 &&
		    strcmp(other->name, name) == 0)
			return true;
	}
	for (size_t i = 0; import->set && i < set_host_count(import->set); i++) {
		const char *host = set_host(import->set, i)->name;

		if (desired_find(set_desired(import->set, host), kind, name))
			return true;
	}
	return false;
}

/* What a manifest of the set calls this object of the host; NULL: none does. */
static const struct resource *declared_as(const struct import *import, const char *kind,
					  const struct object *object)
{
	const struct desired *desired = import->set ? set_desired(import->set, import->host) : NULL;

	for (size_t i = 0; desired && i < desired->count; i++) {
		const struct resource *resource = desired->resources[i];

		if (strcmp(resource->kind->name, kind) != 0)
			continue;
		if (object->ours ? str_eq(object->own.name, resource->name)
				 : str_eq(resource_engine_name(resource), object->engine_name))
			return resource;
	}
	return NULL;
}

enum { NAME_MAX_LEN = 128, NUMBER_LEN = 8 };

/* A name for a resource: the engine's where it can be one, else as near to it as may be. */
static const char *choose_name(struct import *import, const char *kind, const char *engine_name)
{
	struct arena *arena = import->pass->arena;
	size_t len = strnlen(engine_name, NAME_MAX_LEN);
	char *name = arena_strndup(arena, engine_name, len);

	for (char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && (p == name || !strchr("_.-", *p)))
			*p = p == name ? 'x' : '-';
	}
	if (!*name)
		name = arena_strdup(arena, "unnamed");
	if (!is_taken(import, kind, name))
		return name;
	if (len > NAME_MAX_LEN / 2)
		name[NAME_MAX_LEN / 2] = '\0';
	const char *base =
		arena_printf(arena, "%s-%.*s", name, NAME_MAX_LEN / 2 - NUMBER_LEN, import->host);
	const char *free_name = base;
	for (unsigned i = 2; is_taken(import, kind, free_name); i++)
		free_name = arena_printf(arena, "%s-%u", base, i);
	return free_name;
}

/* --- items --- */

static json_t *fallbacks(struct import *import, const struct schema *schema)
{
	json_t *defaults = keep(import, json_object());

	schema_foreach (schema, field) {
		json_t *fallback = field_fallback(field);

		if (fallback)
			json_object_set_new(defaults, field->key, fallback);
	}
	return defaults;
}

/* Where faults of what was written nowhere are said to be. */
static const struct node nowhere = { .place = { .file = "import" }, .text = "" };

static struct import_item *add_item(struct import *import, const struct reconciler *reconciler,
				    const struct object *object)
{
	struct arena *arena = import->pass->arena;
	struct import_item *item = arena_new_of(arena, struct import_item);

	if (import->count == import->room) {
		size_t room = import->room ? 2 * import->room : 64;
		struct import_item **items = arena_alloc(arena, room * sizeof(*items));
		const struct resource **resources = arena_alloc(arena, room * sizeof(*resources));

		if (import->count) {
			memcpy(items, import->items, import->count * sizeof(*items));
			memcpy(resources, import->desired.resources,
			       import->desired.count * sizeof(*resources));
		}
		import->items = items;
		import->room = room;
		import->desired.resources = resources;
	}
	*item = (struct import_item){
		.reconciler = reconciler,
		.object = object,
		.spec = keep(import, json_object()),
		.metadata = keep(import, json_object()),
		.notes = keep(import, json_array()),
	};
	item->resource = (struct resource){
		.kind = &reconciler->kind,
		.host = import->host,
		.node = &nowhere,
		.spec = item->spec,
		.metadata = item->metadata,
		.secrets = keep(import, json_object()),
		.defaults = fallbacks(import, reconciler->kind.spec),
	};
	import->items[import->count++] = item;
	return item;
}

/* From here on others can refer to it. */
static void name_item(struct import *import, struct import_item *item, const char *name)
{
	static const char *const rows[] = { "container_name", "name" };
	const char *engine_name = item->object->engine_name;

	item->resource.name = name;
	json_object_set_new(item->metadata, "name", json_string(name));
	for (size_t i = 0; i < ARRAY_SIZE(rows) && strcmp(name, engine_name) != 0; i++) {
		if (schema_field(item->resource.kind->spec, rows[i]))
			json_object_set_new(item->spec, rows[i], json_string(engine_name));
	}
	((const struct resource **)import->desired.resources)[import->desired.count++] =
		&item->resource;
}

const char *import_refer(struct import *import, const char *kind, const char *engine_name)
{
	const struct reconciler *reconciler = reconciler_find(kind);
	struct import_item *item = import_find(import, kind, engine_name);
	const struct object *object;

	if (item && item->resource.name)
		return item->resource.name;
	object = pass_find_engine_name(import->pass, &reconciler->kind, engine_name);
	if (!object)
		return NULL;
	if (!item)
		item = add_item(import, reconciler, object);
	item->left_out = NULL;
	name_item(import, item, choose_name(import, kind, engine_name));
	json_object_set_new(item->spec, "external", json_true());
	return item->resource.name;
}

/* Who made it, where drey did; the labels of an image prove nothing. */
static const char *made_by_drey(const struct import *import, const struct object *object)
{
	const json_t *image = pass_image(import->pass, object->image_id);
	const json_t *brought = json_object_get(json_object_get(image, "Config"), "Labels");
	const char *label;
	json_t *value;

	json_object_foreach ((json_t *)object->labels, label, value) {
		if (str_has_prefix(label, LABEL_PREFIX) &&
		    !json_equal(value, json_object_get(brought, label)))
			return arena_printf(import->pass->arena, "drey made it already, %s %s",
					    object->own.project ? "for project" : "for",
					    object->own.project ?: "its own use");
	}
	return NULL;
}

static void add_object(struct import *import, const struct reconciler *reconciler,
		       const struct object *object)
{
	const struct resource *declared = declared_as(import, reconciler->kind.name, object);
	const char *why = made_by_drey(import, object);
	struct import_item *item;

	if (!declared && !why)
		why = reconciler->importer->leave_out(import, object);
	if (why && !*why && !declared)
		return;
	item = add_item(import, reconciler, object);
	if (declared) {
		item->declared = true;
		item->left_out = "it is declared already";
		item->resource.name = declared->name;
		((const struct resource **)import->desired.resources)[import->desired.count++] =
			declared;
	} else if (why) {
		item->left_out = why;
	} else if (import_find(import, reconciler->kind.name, object->engine_name) != item) {
		item->left_out = "it is a second one of that name";
	} else {
		name_item(import, item,
			  choose_name(import, reconciler->kind.name, object->engine_name));
		json_object_set_new(item->metadata, "adopt", json_true());
	}
}

/* --- rows --- */

static void take_document(void *ctx, const struct node *root)
{
	*(const struct node **)ctx = root;
}

/* The value as a manifest would have it, or NULL when no manifest can: written as YAML, and read
 * again by the row's own rules. Takes the reference. */
static json_t *as_written(struct import *import, const struct field *field, json_t *value)
{
	struct arena *arena = arena_new();
	const struct schema row = { .name = "row", .fields = field, .count = 1 };
	const struct node *root = NULL;
	struct diagnostics diagnostics;
	json_t *spec = json_object(), *decoded = NULL, *result = NULL;
	struct str text;

	diagnostics_init(&diagnostics, arena);
	str_init(&text, 0);
	json_object_set_new(spec, field->key, value);
	schema_print(&row, spec, NULL, 0, &text);
	struct yaml_reader reader = { .arena = arena, .diagnostics = &diagnostics };
	struct decode decode = { .diagnostics = &diagnostics, .patterns = import->patterns };
	if (yaml_read(&reader, "row", text.data, text.len, take_document, &root) == 0 && root)
		decoded = schema_decode(&row, &decode, root);
	if (diagnostics.errors == 0)
		result = json_incref(json_object_get(decoded, field->key));
	json_decref(decoded);
	json_decref(spec);
	str_done(&text);
	diagnostics_done(&diagnostics);
	arena_free(arena);
	return result;
}

/* Puts a row into the spec; false when it can't be said. Takes the reference. */
static bool set_row(struct import *import, struct import_item *item, const struct field *field,
		    json_t *value)
{
	json_t *written = value ? as_written(import, field, value) : NULL;

	if (!written)
		return false;
	json_object_set_new(item->spec, field->key, written);
	return true;
}

bool import_take_row(struct import *import, struct import_item *item, const char *key)
{
	const struct importer *importer = item->reconciler->importer;
	const struct field *field = schema_field(item->resource.kind->spec, key);
	json_t *value = importer->row ? importer->row(import, item, field)
				      : json_incref(json_object_get(item->object->observed, key));

	return set_row(import, item, field, value);
}

/* --- comparing --- */

static void compare(struct import *import, struct import_item *item, struct action *ret_action)
{
	*ret_action = (struct action){
		.kind = item->resource.kind,
		.name = item->resource.name,
		.want = &item->resource,
		.have = item->object,
	};
	item->reconciler->compare(import->pass, ret_action, import->pass->arena);
}

static size_t count_changes(struct import *import, struct import_item *item)
{
	struct action action;

	compare(import, item, &action);
	size_t count = action.changes.list.count;
	vec_done(&action.changes.list);
	return count;
}

/* One round of comparing and taking over; false when nothing more can be done. */
static bool take_changes(struct import *import, struct import_item *item)
{
	struct action action;
	bool taken = false;

	compare(import, item, &action);
	VEC_FOREACH (const struct change *, change, &action.changes.list) {
		const char *key = change->field->key;

		if (!json_object_get(item->spec, key))
			taken = import_take_row(import, item, key) || taken;
	}
	vec_done(&action.changes.list);
	return taken;
}

/* Removes from a row what its image brings along. */
static void shorten_row(struct import *import, struct import_item *item, const char *key)
{
	json_t *all = json_copy(json_object_get(item->spec, key));
	json_t *value = json_object_get(item->spec, key);
	size_t least = count_changes(import, item);

	for (size_t i = json_array_size(all); i-- > 0;) {
		json_array_remove(value, i);
		if (count_changes(import, item) > least)
			json_array_insert(value, i, json_array_get(all, i));
	}
	json_decref(all);
	if (json_array_size(value) == 0)
		json_object_del(item->spec, key);
}

static void shorten_map(struct import *import, struct import_item *item, const char *key)
{
	json_t *all = json_deep_copy(json_object_get(item->spec, key)), *member;
	json_t *value = json_object_get(item->spec, key);
	size_t least = count_changes(import, item);
	const char *name;

	json_object_foreach (all, name, member) {
		json_object_del(value, name);
		if (count_changes(import, item) > least)
			json_object_set(value, name, member);
	}
	json_decref(all);
	if (json_object_size(value) == 0)
		json_object_del(item->spec, key);
}

/* Takes out what goes without saying: rows that follow from others, members at their defaults,
 * parts that the image brings along. Silence on what the daemon fills in proves nothing. */
static void shorten(struct import *import, struct import_item *item)
{
	const struct schema *schema = item->resource.kind->spec;
	struct action action;

	compare(import, item, &action);
	size_t least = action.changes.list.count;
	bool image_unknown = action.known_after_pull;
	vec_done(&action.changes.list);
	schema_foreach (schema, field) {
		json_t *value = json_incref(json_object_get(item->spec, field->key));
		enum shape shape = field->type->shape;

		if (!value || !field->api || field->origin == ORIGIN_DAEMON ||
		    field->origin == ORIGIN_NONE ||
		    (field->origin == ORIGIN_IMAGE && image_unknown)) {
			json_decref(value);
			continue;
		}
		json_object_del(item->spec, field->key);
		if (count_changes(import, item) > least) {
			json_object_set(item->spec, field->key, value);
			if (shape == SHAPE_MAP || shape == SHAPE_OBJECT)
				shorten_map(import, item, field->key);
			else if (shape == SHAPE_SET || shape == SHAPE_OBJECTS)
				shorten_row(import, item, field->key);
		}
		json_decref(value);
	}
}

/* What still differs can't be said by any row: left to others. */
static void leave_rest(struct import *import, struct import_item *item)
{
	struct action action;

	compare(import, item, &action);
	VEC_FOREACH (const struct change *, change, &action.changes.list) {
		json_t *ignore = json_object_get(item->metadata, "ignore");
		struct str value;

		if (!ignore) {
			ignore = json_array();
			json_object_set_new(item->metadata, "ignore", ignore);
		}
		json_array_append_new(ignore, json_string(change->path));
		str_init(&value, 0);
		/* Variables and labels may hold anything: a terminal is no place for that. */
		if (change->field->type->shape == SHAPE_MAP)
			str_append(&value, "a value");
		else
			schema_print_value(change->leaf, change->before ?: change->after, &value);
		import_note(
			import, item,
			change->before
				? "%s is %s, which its manifest can't say: it is left out of the "
				  "comparison, and a replacement would lose it"
				: "%s is not there (%s would be usual), which its manifest can't "
				  "say: it is left out of the comparison, and a replacement would "
				  "have it",
			change->path, value.data);
		str_done(&value);
	}
	vec_done(&action.changes.list);
	compare(import, item, &action);
	if (action.verdict != VERDICT_KEEP && !item->left_out)
		item->left_out = action.reason ?: "it can't be described by a manifest";
	vec_done(&action.changes.list);
}

/* What the rules across fields forbid (a port published on the host's own network) is taken back:
 * engines take it without a word. */
static void obey_rules(struct import *import, struct import_item *item)
{
	const struct kind *kind = item->resource.kind;
	struct diagnostics diagnostics;

	if (!kind->verify)
		return;
	diagnostics_init(&diagnostics, import->pass->arena);
	kind->verify(&item->resource, &diagnostics);
	VEC_FOREACH (const struct diagnostic *, fault, &diagnostics.list) {
		const char *at = str_has_prefix(fault->text, "spec.") ? fault->text + 5 : "";
		CLEANUP(cleanup_free) char *key = xstrndup(at, strcspn(at, ".[:"));

		if (fault->severity != SEVERITY_ERROR)
			continue;
		if (json_object_del(item->spec, key) < 0)
			item->left_out = arena_strdup(import->pass->arena, fault->text);
	}
	diagnostics_done(&diagnostics);
}

static void settle(struct import *import, struct import_item *item)
{
	for (int i = 0; i < ROUNDS_MAX && take_changes(import, item); i++)
		;
	shorten(import, item);
	obey_rules(import, item);
	leave_rest(import, item);
	if (item->reconciler->importer->end)
		item->reconciler->importer->end(import, item);
}

/* --- the whole --- */

struct missing {
	const struct import *import;
	struct import_item *item;
	const char *kind, *name;
};

static void look_for(void *ctx, const char *kind, const char *name, const char *path)
{
	struct missing *missing = ctx;

	(void)path;
	for (size_t i = 0; i < missing->import->count; i++) {
		struct import_item *other = missing->import->items[i];

		if (!other->resource.name || strcmp(other->resource.kind->name, kind) != 0 ||
		    strcmp(other->resource.name, name) != 0 ||
		    (other->left_out && !other->declared))
			continue;
		other->used = true;
		return;
	}
	if (strcmp(kind, "Host") != 0) {
		missing->kind = kind;
		missing->name = name;
	}
}

/* What refers to something that gets no manifest can't have one either. */
static bool leave_dependants(struct import *import)
{
	bool changed = false;

	for (size_t i = 0; i < import->count; i++)
		import->items[i]->used = false;
	for (size_t i = 0; i < import->count; i++) {
		struct import_item *item = import->items[i];
		struct missing missing = { .import = import, .item = item };

		if (item->left_out)
			continue;
		schema_references(item->resource.kind->spec, item->spec, look_for, &missing);
		if (!missing.kind)
			continue;
		item->left_out =
			arena_printf(import->pass->arena, "it needs %s/%s, which is left out",
				     missing.kind, missing.name);
		changed = true;
	}
	return changed;
}

/* What follows its users needs no place of its own, unless nobody uses it. */
static void say_where(struct import *import, struct import_item *item)
{
	if (item->reconciler->kind.follows_users ? !item->used : import->several)
		json_object_set_new(item->spec, "hosts", json_pack("[s]", import->host));
}

void import_build(struct import *import)
{
	struct pass *pass = import->pass;
	size_t kinds, count;
	const struct reconciler *const *all = reconcilers_all(&kinds);

	import->patterns = patterns_new();
	import->desired.host = pass->desired->host;
	pass->desired = &import->desired;
	for (size_t k = 0; k < kinds; k++) {
		for (size_t i = 0; i < pass->observed.count; i++) {
			const struct object *object = pass->observed.objects[i];

			if (object->kind == &all[k]->kind && all[k]->importer)
				add_object(import, all[k], object);
		}
	}
	/* What they refer to may add others. */
	count = import->count;
	for (size_t i = 0; i < count; i++) {
		struct import_item *item = import->items[i];

		if (!item->left_out && item->reconciler->importer->begin)
			item->reconciler->importer->begin(import, item);
	}
	for (size_t i = 0; i < count; i++) {
		struct import_item *item = import->items[i];

		if (item->left_out || json_is_true(json_object_get(item->spec, "external")))
			continue;
		settle(import, item);
	}
	while (leave_dependants(import))
		;
	for (size_t i = 0; i < import->count; i++) {
		if (!import->items[i]->left_out)
			say_where(import, import->items[i]);
	}
	patterns_free(import->patterns);
	import->patterns = NULL;
}
