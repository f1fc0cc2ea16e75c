/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/pull.h"

#include <string.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/printable.h"
#include "reconcilers/platform.h"
#include "reconcilers/registry_credentials.h"

enum {
	PULL_IDLE_MS = 5 * 60 * 1000, /* unpacking a large layer is silent for minutes */
	MESSAGE_BYTES = 512,
};

void image_reference_parse(const char *text, struct arena *arena, struct image_reference *ret_ref)
{
	const char *digest = strchr(text, '@');
	const char *name = digest ? arena_strndup(arena, text, (size_t)(digest - text)) : text;
	const char *slash = strrchr(name, '/');
	/* A colon before the last slash is a registry's port. */
	const char *colon = strchr(slash ? slash : name, ':');
	const char *first = strchr(name, '/');
	size_t len = first ? (size_t)(first - name) : 0;
	char *domain = arena_strndup(arena, name, len);

	*ret_ref = (struct image_reference){
		.registry = "docker.io",
		.repository = colon ? arena_strndup(arena, name, (size_t)(colon - name))
				    : arena_strdup(arena, name),
		.tag = digest  ? arena_strdup(arena, digest + 1)
		       : colon ? arena_strdup(arena, colon + 1)
			       : "latest",
	};
	if (strpbrk(domain, ".:") || strcmp(domain, "localhost") == 0)
		ret_ref->registry = domain;
}

/* --- where a tag points --- */

/* Is there a tag that the registry may let point elsewhere? */
static bool follows_registry(const struct resource *container)
{
	const char *image = resource_string(container, "image");
	const char *state = resource_string(container, "state");

	return strcmp(resource_string(container, "pull_policy"), "always") == 0 &&
	       !strchr(image, '@') && !str_has_prefix(image, "sha256:") && !str_eq(state, "absent");
}

static void note_failure(struct pass *pass, const char *image, const struct error *failed)
{
	char shown[MESSAGE_BYTES];

	printable_copy(shown, sizeof(shown), failed->text, strlen(failed->text));
	set_hide_secrets(pass->set, shown);
	json_object_set_new(pass->digests, image, json_pack("{s:s}", "error", shown));
}

static int digest_read(struct pass *pass, void *ctx, json_t *reply, const struct error *failed,
		       struct error *err)
{
	const char *image = ctx;
	json_t *descriptor = json_object_get(reply, "Descriptor");
	json_t *digest = json_object_get(descriptor, "digest");
	struct error nonsense = ERROR_INIT;

	/* That says nothing of the registry. */
	if (failed && (failed->code == ERROR_CANCELLED || failed->code == ERROR_UNREACHABLE)) {
		json_object_del(pass->digests, image);
		*err = *failed;
		return -1;
	}
	if (failed) {
		note_failure(pass, image, failed);
	} else if (json_is_string(digest) && str_has_prefix(json_string_value(digest), "sha256:")) {
		json_object_set(pass->digests, image, digest);
	} else {
		error_set(&nonsense, ERROR_REMOTE, "the engine's answer has no digest");
		note_failure(pass, image, &nonsense);
	}
	return 0;
}

void pull_queue_digest(struct pass *pass, const struct resource *container)
{
	const char *image = resource_string(container, "image");
	struct image_reference reference;
	struct error err = ERROR_INIT;
	char *auth = NULL;

	if (!follows_registry(container) || json_object_get(pass->digests, image))
		return;
	image_reference_parse(image, pass->arena, &reference);
	if (registry_credentials_find(pass->set, reference.registry, &auth, &err) < 0) {
		note_failure(pass, image, &err);
		return;
	}
	CLEANUP(cleanup_free) char *path = engine_path("/distribution/%s/json", image);

	json_object_set_new(pass->digests, image, json_null());
	pass_queue_registry(pass, path, auth, digest_read, arena_strdup(pass->arena, image));
	if (auth) {
		explicit_bzero(auth, strlen(auth));
		free(auth);
	}
}

const char *pull_digest(const struct pass *pass, const struct resource *container,
			const char **ret_failure)
{
	const json_t *known =
		follows_registry(container)
			? json_object_get(pass->digests, resource_string(container, "image"))
			: NULL;

	if (ret_failure)
		*ret_failure = json_string_value(json_object_get(known, "error"));
	return json_string_value(known);
}

/* An image may be known by several digests; each names its content. */
static bool has_digest(const json_t *image, const char *digest)
{
	const json_t *known;
	size_t i;

	json_array_foreach (json_object_get(image, "RepoDigests"), i, known) {
		if (json_is_string(known) && str_has_suffix(json_string_value(known), digest))
			return true;
	}
	return false;
}

const json_t *pull_wanted_image(const struct pass *pass, const struct resource *container)
{
	const json_t *image = pass_image(pass, resource_string(container, "image")), *other;
	const char *digest = pull_digest(pass, container, NULL), *key;

	if (!digest || has_digest(image, digest))
		return image;
	/* It may be there under another tag, or be what the container runs already. */
	json_object_foreach (pass->observed.images, key, other) {
		if (has_digest(other, digest))
			return other;
	}
	return NULL;
}

/* --- what went wrong --- */

struct symptom {
	const char *text; /* in lower case */
	enum error_code code;
};

/* What engines and registries say; first match wins. An engine passes on what the registry
 * answered, and adds its own words (distribution/errors.go, distribution/pull_v2.go). */
static const struct symptom symptoms[] = {
	{ "no space left on device", ERROR_SYSTEM },
	{ "toomanyrequests", ERROR_TIMEOUT },
	{ "rate limit", ERROR_TIMEOUT },
	{ "unauthorized", ERROR_DENIED },
	{ "authentication required", ERROR_DENIED },
	{ "no basic auth credentials", ERROR_DENIED },
	{ "access denied", ERROR_DENIED },
	{ "access to the resource is denied", ERROR_DENIED },
	{ "forbidden", ERROR_DENIED },
	{ "incorrect username or password", ERROR_DENIED },
	{ "x509", ERROR_REFUSED },
	{ "http response to https client", ERROR_REFUSED },
	{ "tls: ", ERROR_REFUSED },
	{ "connection refused", ERROR_UNREACHABLE },
	{ "no such host", ERROR_UNREACHABLE },
	{ "server misbehaving", ERROR_UNREACHABLE },
	{ "no route to host", ERROR_UNREACHABLE },
	{ "network is unreachable", ERROR_UNREACHABLE },
	{ "i/o timeout", ERROR_UNREACHABLE },
	{ "handshake timeout", ERROR_UNREACHABLE },
	{ "client.timeout", ERROR_UNREACHABLE },
	{ "deadline exceeded", ERROR_UNREACHABLE },
	{ "connection reset", ERROR_UNREACHABLE },
	{ "dial tcp", ERROR_UNREACHABLE },
	{ "unexpected eof", ERROR_UNREACHABLE },
	{ "manifest unknown", ERROR_NOT_FOUND },
	{ "name unknown", ERROR_NOT_FOUND },
	{ "repository name not known", ERROR_NOT_FOUND },
	{ "no matching manifest", ERROR_NOT_FOUND },
	{ "not found", ERROR_NOT_FOUND },
};

static enum error_code recognise(const char *message)
{
	for (size_t i = 0; i < ARRAY_SIZE(symptoms); i++) {
		if (strcasestr(message, symptoms[i].text))
			return symptoms[i].code;
	}
	return ERROR_REMOTE;
}

int pull_fail(const char *image, const char *registry, bool known, const char *message,
	      struct error *err)
{
	char shown[MESSAGE_BYTES];
	enum error_code symptom = recognise(message);

	printable_copy(shown, sizeof(shown), message, strlen(message));
	switch (symptom) {
	case ERROR_DENIED:
		error_set(err, ERROR_DENIED, "pull %s: %s", image, shown);
		return known ? error_hint(err,
					  "check username and password of the Registry document "
					  "for %s, "
					  "and that the image exists",
					  registry)
			     : error_hint(
				       err,
				       "no Registry document has credentials for %s; write one, or "
				       "check that the image exists",
				       registry);
	case ERROR_NOT_FOUND:
		error_set(err, ERROR_NOT_FOUND, "pull %s: %s", image, shown);
		return error_hint(err, "check the image's name and tag");
	case ERROR_UNREACHABLE:
		error_set(err, ERROR_UNREACHABLE, "pull %s: %s", image, shown);
		return error_hint(err, "the host does not reach the registry %s", registry);
	case ERROR_SYSTEM:
		error_set(err, ERROR_REMOTE, "pull %s: %s", image, shown);
		return error_hint(err, "the disk of the host is full; 'docker system df' there "
				       "shows what fills it");
	case ERROR_TIMEOUT:
		error_set(err, ERROR_REMOTE, "pull %s: %s", image, shown);
		return error_hint(err, "the registry limits how often one may pull; wait%s",
				  known ? "" : ", or log in with a Registry document");
	case ERROR_REFUSED:
		error_set(err, ERROR_REMOTE, "pull %s: %s", image, shown);
		return error_hint(err,
				  "the host's engine must trust the registry's certificate "
				  "(/etc/docker/certs.d/%s/ca.crt), or list it under "
				  "insecure-registries",
				  registry);
	default:
		return error_set(err, ERROR_REMOTE, "pull %s: %s", image, shown);
	}
}

/* --- pull --- */

struct pull {
	struct pass *pass;
	const struct action *action;
	const char *image;
	char message[MESSAGE_BYTES]; /* of the failure, within a stream of status 200 */
};

static void report(const struct pull *pull, const json_t *item)
{
	const json_t *detail = json_object_get(item, "progressDetail");
	const char *layer = json_string_value(json_object_get(item, "id"));
	const char *status = json_string_value(json_object_get(item, "status"));
	struct progress progress = {
		.kind = PROGRESS_PULL,
		.host = engine_name(pull->pass->engine),
		.resource = arena_printf(pull->pass->arena, "%s/%s", pull->action->kind->name,
					 pull->action->name),
		.text = pull->image,
		.item = layer,
		.current = json_integer_value(json_object_get(detail, "current")),
		.total = json_integer_value(json_object_get(detail, "total")),
	};

	if (!pull->pass->hooks.progress || !layer || !status)
		return;
	pull->pass->hooks.progress(pull->pass->hooks.ctx, &progress);
}

static int take_item(void *ctx, const json_t *item, struct error *err)
{
	struct pull *pull = ctx;
	const json_t *detail = json_object_get(item, "errorDetail");
	const char *message = json_string_value(json_object_get(detail, "message"));

	if (!message)
		message = json_string_value(json_object_get(item, "error"));
	if (message) {
		printable_copy(pull->message, sizeof(pull->message), message, strlen(message));
		return error_set(err, ERROR_REMOTE, "%s", pull->message);
	}
	report(pull, item);
	if (pull->pass->hooks.cancelled && pull->pass->hooks.cancelled(pull->pass->hooks.ctx))
		return error_set(err, ERROR_CANCELLED, "interrupted");
	return 0;
}

static void release(void *ptr)
{
	json_decref(ptr);
}

/* What is known of images was read before the pull. What the plan has borrowed of the old answer
 * lives on with the pass. */
static int refresh(struct pass *pass, const char *image, bool *ret_present, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/images/%s/json", image);
	json_t *reply = NULL;

	*ret_present = engine_get(pass->engine, path, &reply, err) == 0;
	if (!*ret_present && err->code != ERROR_NOT_FOUND)
		return error_wrap(err, "inspect image %s", image);
	error_clear(err);
	if (!*ret_present)
		return 0;
	const char *id = json_string_value(json_object_get(reply, "Id"));
	json_t *before = json_object_get(pass->observed.images, image);

	if (before)
		arena_defer(pass->arena, release, json_incref(before));
	json_object_set(pass->observed.images, image, reply);
	if (id && !json_object_get(pass->observed.images, id))
		json_object_set(pass->observed.images, id, reply);
	json_decref(reply);
	return 0;
}

static int pull_image(struct pass *pass, const struct action *action, const char *image,
		      struct error *err)
{
	struct pull pull = { .pass = pass, .action = action, .image = image };
	struct image_reference reference;
	char *auth = NULL;
	const char *platform = resource_string(action->want, "platform");
	bool present;

	image_reference_parse(image, pass->arena, &reference);
	if (registry_credentials_find(pass->set, reference.registry, &auth, err) < 0)
		return error_wrap(err, "pull %s", image);
	CLEANUP(cleanup_free)
	char *path = platform ? engine_path("/images/create?fromImage=%s&tag=%s&platform=%s",
					    reference.repository, reference.tag, platform)
			      : engine_path("/images/create?fromImage=%s&tag=%s",
					    reference.repository, reference.tag);
	struct engine_request request = { .method = "POST", .path = path, .registry_auth = auth };
	int rc = engine_stream_json(pass->engine, &request, take_item, &pull, PULL_IDLE_MS, err);
	bool known = auth != NULL;

	if (auth) {
		explicit_bzero(auth, strlen(auth));
		free(auth);
	}
	if (rc < 0 && (*pull.message || request.status >= 400)) {
		char message[sizeof(err->text)];

		memcpy(message, err->text, sizeof(message));
		return pull_fail(image, reference.registry, known, message, err);
	}
	if (rc < 0)
		return error_wrap(err, "pull %s", image);
	if (refresh(pass, image, &present, err) < 0)
		return -1;
	if (!present)
		return error_set(err, ERROR_REMOTE,
				 "pull %s: the engine says it is done, but the image is not there",
				 image);
	return 0;
}

int pull_ensure(struct pass *pass, const struct action *action, struct error *err)
{
	const char *image = resource_string(action->want, "image");
	const char *policy = resource_string(action->want, "pull_policy");
	const char *platform = resource_string(action->want, "platform");
	bool present;

	/* Asked anew: an earlier action may have pulled it, somebody may have removed it. */
	if (refresh(pass, image, &present, err) < 0)
		return -1;
	if (present && platform)
		present = platform_matches(platform, pass_image(pass, image));
	const char *digest = pull_digest(pass, action->want, NULL);
	bool meant = digest && has_digest(pass_image(pass, image), digest);

	if ((strcmp(policy, "always") != 0 || meant) && present)
		return 0;
	if (strcmp(policy, "never") == 0) {
		error_set(err, ERROR_NOT_FOUND,
			  "image %s%s%s is not on the host, and pull_policy is never", image,
			  platform ? " for " : "", platform ? platform : "");
		return error_hint(err, "load it there, or let pull_policy be missing");
	}
	pass_progress(pass, action, arena_printf(pass->arena, "pull %s", image));
	if (pull_image(pass, action, image, err) < 0)
		return -1;
	if (!digest || has_digest(pass_image(pass, image), digest))
		return 0;
	error_set(err, ERROR_CONFLICT,
		  "pull %s: the registry now has another image than was planned", image);
	return error_hint(err, "run drey again");
}
