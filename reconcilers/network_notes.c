/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/network_notes.h"

#include <string.h>

#include "reconcilers/container_calls.h"
#include "reconcilers/network.h"

#define NOTES_SUFFIX ".drey-endpoints"
#define LABEL_ENDPOINTS "drey.endpoints"

/* By the resource's name: the engine's may be what changes. */
static const char *notes_name(const struct pass *pass, const struct resource *want)
{
	return arena_printf(pass->arena, "%s" NOTES_SUFFIX, want->name);
}

static int read_notes(struct pass *pass, const char *name, json_t **ret_endpoints,
		      struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", name);
	json_t *volume = NULL;

	*ret_endpoints = NULL;
	if (engine_get(pass->engine, path, &volume, err) < 0) {
		if (err->code != ERROR_NOT_FOUND)
			return error_wrap(err, "read the notes in volume %s", name);
		error_clear(err);
		return 0;
	}
	const json_t *labels = json_object_get(volume, "Labels");
	const char *text = json_string_value(json_object_get(labels, LABEL_ENDPOINTS));
	if (text &&
	    str_eq(json_string_value(json_object_get(labels, LABEL_PROJECT)), pass->project))
		*ret_endpoints = json_loads(text, 0, NULL);
	json_decref(volume);
	if (!json_is_object(*ret_endpoints)) {
		json_decref(*ret_endpoints);
		*ret_endpoints = NULL;
		return error_set(err, ERROR_CONFLICT,
				 "volume %s stands where drey takes notes, and holds none of "
				 "drey's; remove it",
				 name);
	}
	return 0;
}

static int remove_notes(struct pass *pass, const char *name, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/volumes/%s", name);
	enum { ATTEMPTS = 2 };

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		error_clear(err);
		if (engine_delete(pass->engine, path, err) == 0)
			return 0;
		if (err->code == ERROR_NOT_FOUND) {
			error_clear(err);
			return 0;
		}
		if (!call_is_lost(err))
			break;
	}
	return error_wrap(err, "remove the notes in volume %s", name);
}

static int write_notes(struct pass *pass, const char *name, const json_t *endpoints,
		       struct error *err)
{
	CLEANUP(cleanup_free) char *text = json_dumps(endpoints, JSON_COMPACT | JSON_SORT_KEYS);
	json_t *body = json_pack("{s:s, s:{s:s, s:s}}", "Name", name, "Labels", LABEL_PROJECT,
				 pass->project, LABEL_ENDPOINTS, text);
	json_t *found = NULL;
	int rc = engine_post(pass->engine, "/volumes/create", body, NULL, err);

	json_decref(body);
	if (rc < 0 && !call_is_lost(err))
		return error_wrap(err, "take notes in volume %s", name);
	/* Answers get lost, and a create for a name that is taken is a success: what it holds is
	 * what counts. */
	error_clear(err);
	if (read_notes(pass, name, &found, err) < 0)
		return -1;
	if (!json_equal(found, endpoints))
		rc = error_set(err, ERROR_REMOTE, "volume %s does not hold what was noted", name);
	else
		rc = 0;
	json_decref(found);
	return rc;
}

int network_note(struct pass *pass, const struct resource *want, const json_t *endpoints,
		 struct error *err)
{
	const char *name = notes_name(pass, want);
	json_t *before;

	if (json_object_size(endpoints) == 0)
		return 0;
	if (read_notes(pass, name, &before, err) < 0)
		return -1;
	if (!before)
		return write_notes(pass, name, endpoints, err);
	json_object_update(before, (json_t *)endpoints);
	int rc = remove_notes(pass, name, err);
	if (rc == 0)
		rc = write_notes(pass, name, before, err);
	json_decref(before);
	return rc;
}

/* One that has vanished, or is on it again, needs nothing. */
static int put_back(struct pass *pass, const char *network, const char *id, json_t *endpoint,
		    struct error *err)
{
	json_t *now = NULL;
	int rc = 0;

	if (call_inspect(pass, id, &now, err) < 0)
		return -1;
	const json_t *networks =
		json_object_get(json_object_get(now, "NetworkSettings"), "Networks");
	if (now && !json_object_get(networks, network))
		rc = call_connect(pass, network, id, json_incref(endpoint), err);
	if (rc < 0)
		error_wrap(err, "%s", inspect_name(now));
	json_decref(now);
	return rc;
}

int network_put_noted(struct pass *pass, const struct resource *want, struct error *err)
{
	const char *name = notes_name(pass, want), *id;
	json_t *endpoints, *endpoint;
	int rc = 0;

	if (read_notes(pass, name, &endpoints, err) < 0)
		return -1;
	if (!endpoints)
		return 0;
	json_object_foreach (endpoints, id, endpoint) {
		if (rc == 0)
			rc = put_back(pass, network_own_engine_name(want), id, endpoint, err);
	}
	json_decref(endpoints);
	return rc < 0 ? -1 : remove_notes(pass, name, err);
}

/* The Network resource whose notes a volume holds, or NULL: the volume is none of notes. */
static const struct resource *noted_network(const struct pass *pass, const struct object *volume,
					    bool *ret_notes)
{
	*ret_notes = strcmp(volume->kind->name, "Volume") == 0 &&
		     str_has_suffix(volume->engine_name, NOTES_SUFFIX) &&
		     json_object_get(volume->labels, LABEL_ENDPOINTS) &&
		     str_eq(json_string_value(json_object_get(volume->labels, LABEL_PROJECT)),
			    pass->project);
	if (!*ret_notes)
		return NULL;
	return desired_find(pass->desired, "Network",
			    arena_strndup(pass->arena, volume->engine_name,
					  strlen(volume->engine_name) - strlen(NOTES_SUFFIX)));
}

int network_recover(struct pass *pass, bool *ret_changed, struct error *err)
{
	for (size_t i = 0; i < pass->observed.count; i++) {
		const struct object *volume = pass->observed.objects[i];
		bool notes;
		const struct resource *want = noted_network(pass, volume, &notes);
		const struct object *network =
			want ? network_find(pass, network_own_engine_name(want)) : NULL;
		int rc;

		/* A network that is gone is made anew by this run, where it is still wanted. */
		if (!notes || (want && !network))
			continue;
		rc = want ? network_put_noted(pass, want, err)
			  : remove_notes(pass, volume->engine_name, err);
		*ret_changed = true;
		if (rc == 0)
			continue;
		if (call_is_lost(err) || err->code == ERROR_CANCELLED)
			return -1;
		/* Told again by the replacement, if there is still one to be done. */
		log_warning(pass->log, "%s: %s", pass->desired->host->name, err->text);
		error_clear(err);
	}
	return 0;
}
