/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating, replacing and removing a network.
 *
 * An engine can change nothing about a network, and removes none that a running container is on.
 * So a replacement takes the containers off, makes the network anew and puts them back with the
 * endpoints they should have. A run that ends in between leaves containers without a network or
 * without an endpoint, which the next comparison sees; of those that have no manifest notes are
 * taken first (network_notes.h).
 *
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Network
 */
#include <string.h>

#include "reconcilers/container.h"
#include "reconcilers/container_calls.h"
#include "reconcilers/network.h"
#include "reconcilers/network_notes.h"

enum { ATTEMPTS = 2 };

static int inspect(struct pass *pass, const char *network, json_t **ret_inspect, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/networks/%s", network);

	if (engine_get(pass->engine, path, ret_inspect, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return error_wrap(err, "inspect network %s", network);
	error_clear(err);
	*ret_inspect = NULL;
	return 0;
}

/* --- create --- */

/* 0 when the network of that name carries the uid; ERROR_NOT_FOUND when there is none. */
static int check_created(struct pass *pass, const char *name, const char *uid, struct error *err)
{
	json_t *found = NULL;
	int ret = 0;

	if (inspect(pass, name, &found, err) < 0)
		return -1;
	if (!found)
		return error_set(err, ERROR_NOT_FOUND, "network %s is gone after its creation",
				 name);
	if (!str_eq(json_string_value(json_object_get(json_object_get(found, "Labels"), LABEL_UID)),
		    uid))
		ret = error_set(err, ERROR_CONFLICT, "the name %s is taken by another network",
				name);
	json_decref(found);
	return ret;
}

static int post_create(struct pass *pass, const json_t *body, const char *name, const char *uid,
		       struct error *err)
{
	struct error found = ERROR_INIT;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		int rc = engine_post(pass->engine, "/networks/create", body, NULL, err);

		if (rc < 0 && !call_is_lost(err) && err->code != ERROR_CONFLICT)
			return -1;
		error_clear(&found);
		if (check_created(pass, name, uid, &found) == 0) {
			error_clear(err);
			return 0;
		}
		/* It says that it made it: what it says afterwards may be noise. */
		if (rc == 0 && found.code != ERROR_CONFLICT && found.code != ERROR_NOT_FOUND)
			return 0;
		if (rc == 0 || found.code == ERROR_CONFLICT) {
			*err = found;
			return -1;
		}
		if (found.code != ERROR_NOT_FOUND)
			return -1;
	}
	return -1;
}

static int make(struct pass *pass, const struct action *action, struct error *err)
{
	json_t *body = NULL;
	char uid[33];
	int ret;

	if (network_create_body(pass, action->want, action->beside, uid, &body, err) < 0)
		return -1;
	pass_progress(pass, action, "create");
	ret = post_create(pass, body, network_own_engine_name(action->want), uid, err);
	json_decref(body);
	return ret < 0 ? error_wrap(err, "create") : 0;
}

/* --- remove --- */

static int remove_network(struct pass *pass, const struct action *action, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/networks/%s", action->have->id);

	pass_progress(pass, action, "remove");
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct error failed = ERROR_INIT;
		json_t *left = NULL;

		if (engine_delete(pass->engine, path, err) == 0)
			return 0;
		if (err->code != ERROR_NOT_FOUND && !call_is_lost(err))
			break;
		if (inspect(pass, action->have->id, &left, &failed) == 0 && !left) {
			error_clear(err);
			return 0;
		}
		json_decref(left);
	}
	return error_wrap(err, "remove");
}

/* --- replace --- */

/* A container on the network, and what puts it back. */
struct member {
	const char *id, *name;
	json_t *endpoint; /* EndpointSettings on the new one */
	json_t *was;	  /* and those on the old one, should that come back */
	bool declared;	  /* its manifest says that it is on it */
};

struct members {
	VEC(struct member) list;
	const char *network;
};

static const json_t *endpoint_of(const struct object *object, const char *network)
{
	const json_t *networks =
		json_object_get(json_object_get(object->inspect, "NetworkSettings"), "Networks");

	return json_object_get(networks, network);
}

/* What connect takes of what inspect shows: requests, not what the engine made of them. The
 * aliases that an engine adds by itself (the short ID) it would refuse to lose, not to get. */
static json_t *copy_endpoint(const json_t *endpoint)
{
	static const char *const keys[] = { "IPAMConfig", "Aliases", "Links", "DriverOpts",
					    "GwPriority" };
	json_t *copy = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(endpoint, keys[i]);

		if (value && !json_is_null(value))
			json_object_set(copy, keys[i], value);
	}
	return copy;
}

/* The manifest of a container on the network; NULL for one of ours that has none any more.
 * ERROR_REFUSED for what is not drey's to touch. */
static int find_want(const struct pass *pass, const struct object *object, const char *engine_name,
		     const struct resource **ret_want, struct error *err)
{
	*ret_want = NULL;
	if (object && object->ours) {
		*ret_want = desired_find(pass->desired, "Container", object->own.name);
		return 0;
	}
	for (size_t i = 0; i < pass->desired->count; i++) {
		const struct resource *want = pass->desired->resources[i];

		if (strcmp(want->kind->name, "Container") == 0 && resource_adopts(want) &&
		    strcmp(resource_engine_name(want), engine_name) == 0)
			*ret_want = want;
	}
	if (*ret_want)
		return 0;
	error_set(err, ERROR_REFUSED,
		  "container '%s' is on it, which was not made by drey, and would be cut off",
		  engine_name);
	return error_hint(err, "take it off the network first");
}

static bool is_wanted_on(const struct pass *pass, const struct resource *want, const char *network)
{
	json_t *networks = container_networks(pass, want);
	const json_t *item;
	bool found = false;
	size_t i;

	json_array_foreach (networks, i, item)
		found |= str_eq(json_string_value(item), network);
	json_decref(networks);
	return found;
}

static const struct object *find_id(const struct pass *pass, const char *id)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		if (str_eq(pass->observed.objects[i]->id, id))
			return pass->observed.objects[i];
	}
	return NULL;
}

static const char *listed_name(const json_t *item)
{
	const char *name = json_string_value(json_array_get(json_object_get(item, "Names"), 0));

	return name ? name + (*name == '/') : "";
}

static int add_member(struct pass *pass, struct members *members, const json_t *item,
		      struct error *err)
{
	const char *id = json_string_value(json_object_get(item, "Id"));
	const char *name = listed_name(item);
	const json_t *networks =
		json_object_get(json_object_get(item, "NetworkSettings"), "Networks");
	const json_t *endpoint = json_object_get(networks, members->network);
	const struct object *object = find_id(pass, id);
	const struct resource *want;
	struct member member = { 0 };

	if (!id || !endpoint)
		return 0;
	if (find_want(pass, object, name, &want, err) < 0)
		return -1;
	if (object && object->inspect)
		endpoint = endpoint_of(object, members->network);
	member.id = arena_strdup(pass->arena, id);
	member.name = arena_strdup(pass->arena, name);
	member.declared = want && is_wanted_on(pass, want, members->network);
	member.was = copy_endpoint(endpoint);
	member.endpoint = member.declared ? container_endpoint(pass, want, members->network)
					  : json_incref(member.was);
	vec_push(&members->list, member);
	return 0;
}

/* Asked of the engine, since what is foreign was not looked at closely, and stopped containers
 * do not show in the network's own answer. */
static int gather(struct pass *pass, struct members *members, struct error *err)
{
	json_t *filters = json_pack("{s:[s]}", "network", members->network);
	CLEANUP(cleanup_free) char *text = json_dumps(filters, JSON_COMPACT);
	CLEANUP(cleanup_free) char *path = engine_path("/containers/json?all=1&filters=%s", text);
	json_t *list = NULL;
	const json_t *item;
	size_t i;
	int ret;

	json_decref(filters);
	ret = engine_get(pass->engine, path, &list, err);
	json_array_foreach (list, i, item) {
		if (ret == 0)
			ret = add_member(pass, members, item, err);
	}
	json_decref(list);
	return ret;
}

/* Before the first is taken off. */
static int take_notes(struct pass *pass, const struct action *action, const struct members *members,
		      struct error *err)
{
	json_t *endpoints = json_object();

	VEC_FOREACH (const struct member *, member, &members->list) {
		if (!member->declared)
			json_object_set(endpoints, member->id, member->endpoint);
	}
	int rc = network_note(pass, action->want, endpoints, err);
	json_decref(endpoints);
	return rc;
}

static void members_done(struct members *members)
{
	VEC_FOREACH (struct member *, member, &members->list) {
		json_decref(member->endpoint);
		json_decref(member->was);
	}
	vec_done(&members->list);
}

/* A container that has vanished, or left the network, meanwhile is no obstacle. */
static int take_off(struct pass *pass, const struct members *members, struct error *err)
{
	VEC_FOREACH (const struct member *, member, &members->list) {
		json_t *now = NULL;
		int rc = 0;

		if (call_inspect(pass, member->id, &now, err) < 0)
			return -1;
		const json_t *networks =
			json_object_get(json_object_get(now, "NetworkSettings"), "Networks");
		if (json_object_get(networks, members->network))
			rc = call_disconnect(pass, members->network, member->id, true, err);
		json_decref(now);
		if (rc < 0)
			return error_wrap(err, "%s", member->name);
	}
	return 0;
}

static bool is_fixed(const json_t *endpoint)
{
	return json_object_size(json_object_get(endpoint, "IPAMConfig")) > 0;
}

/* Those with fixed addresses first: a dynamic one might take theirs. What the manifests want of the
 * new network may be no address of the old one. */
static int put_back(struct pass *pass, const struct members *members, bool on_old,
		    struct error *err)
{
	struct error first = ERROR_INIT;

	for (int fixed = 1; fixed >= 0; fixed--) {
		VEC_FOREACH (const struct member *, member, &members->list) {
			json_t *endpoint = on_old ? member->was : member->endpoint;
			struct error failed = ERROR_INIT;
			json_t *now = NULL;

			if (is_fixed(endpoint) != (fixed == 1) ||
			    (call_inspect(pass, member->id, &now, &failed) == 0 && !now))
				continue;
			json_decref(now);
			if (call_connect(pass, members->network, member->id, json_incref(endpoint),
					 &failed) < 0 &&
			    first.code == ERROR_NONE) {
				first = failed;
				error_wrap(&first, "%s", member->name);
			}
		}
	}
	if (first.code == ERROR_NONE)
		return 0;
	*err = first;
	return -1;
}

/* Those that are made anew on it come one after the other, and are to find each other meanwhile. An
 * address of one's own is for the container that stays. */
static void join(struct pass *pass, const struct members *members)
{
	VEC_FOREACH (const struct member *, member, &members->list) {
		struct error failed = ERROR_INIT;

		json_object_del(member->endpoint, "IPAMConfig");
		if (call_connect(pass, members->network, member->id, json_incref(member->endpoint),
				 &failed) < 0)
			log_warning(pass->log,
				    "%s: %s is not on network %s before it is made "
				    "anew: %s",
				    pass->desired->host->name, member->name, members->network,
				    failed.text);
	}
}

static int make_beside(struct pass *pass, const struct action *action, struct error *err)
{
	struct members members = { .network = action->beside->engine_name };
	int ret = gather(pass, &members, err);

	if (ret == 0)
		ret = make(pass, action, err);
	members.network = network_own_engine_name(action->want);
	if (ret == 0)
		join(pass, &members);
	members_done(&members);
	return ret;
}

/* One that is missing may have been taken away by a replacement that was interrupted. */
static int create(struct pass *pass, const struct action *action, struct error *err)
{
	if ((action->beside ? make_beside : make)(pass, action, err) < 0)
		return -1;
	return network_put_noted(pass, action->want, err) < 0
		       ? error_wrap(err, "put containers back")
		       : 0;
}

/* The create body that yields what inspect shows. */
static json_t *body_of(const json_t *old)
{
	static const char *const keys[] = { "Name",	  "Driver",	"IPAM",
					    "Internal",	  "Attachable", "Ingress",
					    "EnableIPv6", "Options",	"Labels" };
	json_t *body = json_pack("{s:b}", "CheckDuplicate", true);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(old, keys[i]);

		if (value && !json_is_null(value))
			json_object_set(body, keys[i], value);
	}
	return body;
}

static int make_anew(struct pass *pass, const struct action *action, const json_t *old,
		     struct error *err)
{
	struct error undo = ERROR_INIT;
	json_t *body;
	int rc;

	if (remove_network(pass, action, err) < 0)
		return -1;
	if (make(pass, action, err) == 0)
		return 0;
	body = body_of(old);
	rc = engine_post(pass->engine, "/networks/create", body, NULL, &undo);
	json_decref(body);
	if (rc == 0)
		return error_hint(err, "the network is back as it was");
	return error_hint(err,
			  "putting the old one back failed as well (%s); the next run makes "
			  "it anew",
			  undo.text);
}

static int replace(struct pass *pass, const struct action *action, struct error *err)
{
	struct members members = { .network = action->have->engine_name };
	struct error failed = ERROR_INIT;
	json_t *old = NULL;
	int ret;

	if (inspect(pass, action->have->id, &old, err) < 0)
		return -1;
	if (!old)
		return create(pass, action, err);
	ret = gather(pass, &members, err);
	if (ret == 0)
		ret = take_notes(pass, action, &members, err);
	if (ret < 0) {
		members_done(&members);
		json_decref(old);
		return -1;
	}
	pass_progress(pass, action, "take containers off");
	ret = take_off(pass, &members, err);
	if (ret == 0)
		ret = make_anew(pass, action, old, err);
	/* On the new one, or back on the old. A name of its own changes with the network. */
	if (ret == 0)
		members.network = network_own_engine_name(action->want);
	pass_progress(pass, action, "put containers back");
	if (put_back(pass, &members, ret < 0, &failed) < 0) {
		if (ret == 0)
			*err = failed;
		else
			error_hint(err, "%s", failed.text);
		ret = -1;
	}
	/* All are back, and those that a run which died had taken off come back now; what is left
	 * of it after a failure the next run looks at. */
	if (ret == 0)
		ret = network_put_noted(pass, action->want, err);
	members_done(&members);
	json_decref(old);
	return ret;
}

int network_apply(struct pass *pass, const struct action *action, struct error *err)
{
	switch (action->verdict) {
	case VERDICT_CREATE:
		return create(pass, action, err);
	case VERDICT_REPLACE:
		return replace(pass, action, err);
	case VERDICT_REMOVE:
		return remove_network(pass, action, err);
	default:
		return 0;
	}
}
