/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/plan/saved.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/sha256.h"
#include "controller/base/str.h"
#include "controller/plan/mask.h"
#include "controller/plan/render.h"
#include "reconcilers/pull.h"

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static char *canonical(const json_t *value)
{
	return json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Hex of HMAC(key, salt, what, text); each part ends with a NUL, so that no two calls collide. */
static json_t *digest(const struct saved_key *key, const char *what, const char *text)
{
	char hex[SHA256_HEX];
	struct str data;

	str_init(&data, 0);
	str_append_n(&data, key->salt, strlen(key->salt) + 1);
	str_append_n(&data, what, strlen(what) + 1);
	str_append(&data, text);
	hmac_sha256_hex(key->data, key->len, data.data, data.len, hex);
	explicit_bzero(data.data, data.len);
	str_done(&data);
	return json_string(hex);
}

/* --- secrets */

static bool holds_secret(const struct resource *resource)
{
	for (size_t i = 0; i < resource->content_count; i++) {
		if (resource->contents[i].secret)
			return true;
	}
	json_t *masked = schema_mask(resource->kind->spec, resource->spec, resource->secrets);
	bool holds = !json_equal(masked, (json_t *)resource->spec);

	json_decref(masked);
	return holds;
}

static bool hides_something(const struct action *action)
{
	VEC_FOREACH (const struct change *, change, &action->changes.list) {
		if (mask_before(action, change) || mask_after(action, change))
			return true;
	}
	return action->want && holds_secret(action->want);
}

static json_t *value_or_null(const json_t *value)
{
	return value ? json_incref((json_t *)value) : json_null();
}

/* Of the files that the resource puts somewhere, those that hold secrets. A file may be no text:
 * its hash stands for it, below the key. */
static json_t *secret_files(const struct resource *resource)
{
	json_t *files = json_array();

	for (size_t i = 0; resource && i < resource->content_count; i++) {
		const struct content *content = &resource->contents[i];
		char hex[SHA256_HEX];

		if (!content->secret)
			continue;
		sha256_hex(content->data, content->len, hex);
		json_array_append_new(files,
				      json_pack("[s, s, s]", content->kind, content->name, hex));
		explicit_bzero(hex, sizeof(hex));
	}
	return files;
}

/* All that stands behind the masks of one action. */
static json_t *unmasked(const struct action *action)
{
	json_t *changes = json_array();

	VEC_FOREACH (const struct change *, change, &action->changes.list)
		json_array_append_new(changes, json_pack("[s, o, o]", change->path,
							 value_or_null(change->before),
							 value_or_null(change->after)));
	return json_pack("[o, o, o]", value_or_null(action->want ? action->want->spec : NULL),
			 changes, secret_files(action->want));
}

static json_t *digest_json(const struct saved_key *key, const char *what, json_t *value)
{
	char *text = canonical(value);
	json_t *hex = digest(key, what, text);

	explicit_bzero(text, strlen(text));
	free(text);
	json_decref(value);
	return hex;
}

bool saved_needs_key(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (hides_something(&plan->actions[i]))
			return true;
	}
	return false;
}

/* --- a host */

static json_t *image_of(const struct pass *pass, const struct action *action)
{
	if (!action->want || !schema_field(action->kind->spec, "image"))
		return json_null();
	const json_t *image = pull_wanted_image(pass, action->want);

	return text_or_null(json_string_value(json_object_get(image, "Id")));
}

static const char *registry_digest(const struct pass *pass, const struct action *action)
{
	if (!action->want || !schema_field(action->kind->spec, "image"))
		return NULL;
	return pull_digest(pass, action->want, NULL);
}

static json_t *secrets_of(const struct plan *plan, const struct action *action,
			  const struct saved_key *key)
{
	CLEANUP(cleanup_free)
	char *what = xasprintf("%s/%s@%s", action->kind->name, action->name, plan->host);

	if (!key || !hides_something(action))
		return json_null();
	return digest_json(key, what, unmasked(action));
}

/* Engines tell when a volume was made in its list, which is all there is to tell two apart that
 * were made with the same name and labels. */
static const char *created(const struct object *have)
{
	const char *text = json_string_value(json_object_get(have->inspect, "CreatedAt"));

	return text ?: json_string_value(json_object_get(have->inspect, "Created"));
}

static void add_action(const struct pass *pass, const struct plan *plan, size_t index,
		       const struct saved_key *key, json_t *object)
{
	const struct action *action = &plan->actions[index];
	const struct object *have = action->have;

	json_object_set_new(object, "id", text_or_null(have ? have->id : NULL));
	json_object_set_new(object, "created", text_or_null(have ? created(have) : NULL));
	json_object_set_new(object, "image_id", text_or_null(have ? have->image_id : NULL));
	json_object_set_new(object, "wanted_image_id", image_of(pass, action));
	json_object_set_new(object, "registry_digest", text_or_null(registry_digest(pass, action)));
	json_object_set_new(object, "digest",
			    text_or_null(action->want ? action->want->digest : NULL));
	json_object_set_new(object, "secrets", secrets_of(plan, action, key));
}

json_t *saved_host(const struct pass *pass, const struct plan *plan, const struct saved_key *key)
{
	json_t *host = render_plan_json(plan), *object;
	size_t i;

	json_object_set_new(
		host, "engine",
		text_or_null(json_string_value(json_object_get(pass->observed.info, "ID"))));
	json_array_foreach (json_object_get(host, "actions"), i, object)
		add_action(pass, plan, i, key, object);
	return host;
}

json_t *saved_host_failed(const char *host, const struct error *err)
{
	return json_pack("{s:s, s:{s:s, s:s}}", "host", host, "error", "code",
			 error_code_name(err->code), "message", err->text);
}

/* --- the rest of the manifests */

/* Of the kinds that are on no host, those that a change is carried out with. What the others
 * say is in the resources of the hosts. */
static const char *const used_kinds[] = { "Registry", "Backup" };

bool saved_set_needs_key(const struct manifest_set *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(used_kinds); i++) {
		for (size_t j = 0; j < set_count(set, used_kinds[i]); j++) {
			if (holds_secret(set_at(set, used_kinds[i], j)))
				return true;
		}
	}
	return false;
}

static json_t *saved_resource(const struct resource *resource, const struct saved_key *key)
{
	CLEANUP(cleanup_free)
	char *name = xasprintf("%s/%s", resource->kind->name, resource->name);
	json_t *secrets = key && holds_secret(resource)
				  ? digest_json(key, name, json_incref((json_t *)resource->spec))
				  : json_null();

	return json_pack("{s:s, s:s, s:o}", "resource", name, "digest", resource->digest, "secrets",
			 secrets);
}

json_t *saved_resources(const struct manifest_set *set, const struct saved_key *key)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(used_kinds); i++) {
		for (size_t j = 0; j < set_count(set, used_kinds[i]); j++)
			json_array_append_new(rows,
					      saved_resource(set_at(set, used_kinds[i], j), key));
	}
	return rows;
}

/* --- the seal */

json_t *saved_key_json(const struct saved_key *key)
{
	if (!key)
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "method", "hmac-sha256", "salt", key->salt, "check",
			 digest(key, "key", ""));
}

static json_t *mac_of(const json_t *document, const struct saved_key *key)
{
	json_t *copy = json_copy((json_t *)document);

	json_object_del(copy, "mac");
	return digest_json(key, "plan", copy);
}

void saved_seal(json_t *document, const struct saved_key *key)
{
	json_object_set_new(document, "mac", key ? mac_of(document, key) : json_null());
}

int saved_check_seal(const json_t *document, const struct saved_key *key, struct error *err)
{
	const json_t *there = json_object_get(document, "key");
	struct saved_key used = *key;
	int ret = 0;

	if (!json_is_object(there))
		return error_set(err, ERROR_REFUSED,
				 "the plan is not sealed, though there is a key to check it with; "
				 "make it with the same key");
	snprintf(used.salt, sizeof(used.salt), "%s",
		 json_string_value(json_object_get(there, "salt")));
	json_t *check = digest(&used, "key", ""), *mac = mac_of(document, &used);
	if (!json_equal(check, json_object_get(there, "check")))
		ret = error_set(err, ERROR_REFUSED,
				"the plan was made with another key, so it can't be told whether "
				"secrets are still the same; give apply the key that diff had "
				"($DREY_PLAN_KEY or --plan-key-file)");
	else if (!json_equal(mac, json_object_get(document, "mac")))
		ret = error_set(err, ERROR_REFUSED,
				"the plan was altered after it was made; make a new one");
	json_decref(check);
	json_decref(mac);
	return ret;
}
