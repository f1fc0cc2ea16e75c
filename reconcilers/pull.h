/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Getting an image onto a host. The engine pulls; credentials go along in X-Registry-Auth.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageCreate
 */
#pragma once

#include "reconcilers/reconciler.h"

/* "registry.example.com:5000/team/web:1.2@sha256:…" in its parts (distribution/reference). */
struct image_reference {
	const char *registry;	/* "docker.io" where none is written */
	const char *repository; /* as written, without tag and digest: what fromImage takes */
	const char *tag;	/* the digest where there is one; "latest" where there is neither */
};

/* Strings live in the arena. */
void image_reference_parse(const char *text, struct arena *arena, struct image_reference *ret_ref);

/*
 * Which image a tag means in its registry, for pull_policy always: asked through the engine (GET
 * /distribution/{name}/json, which pulls nothing), once for all containers of the pass. Queues the
 * read; what comes of it, failure included, is in pass->digests.
 */
void pull_queue_digest(struct pass *pass, const struct resource *container);
/* "sha256:..." that the registry told; NULL: not asked, or *ret_failure (may be NULL) says why not.
 */
const char *pull_digest(const struct pass *pass, const struct resource *container,
			const char **ret_failure);
/* What a container shall run, as pass_image() has it; NULL: it is not on the host yet. */
const json_t *pull_wanted_image(const struct pass *pass, const struct resource *container);

/*
 * Sees to it that the image of a Container is on the host, as its pull_policy says, and that
 * pass_image() knows it.
 *
 * ERROR_NOT_FOUND: no such image, or pull_policy never and it isn't there; ERROR_DENIED: the
 * registry wants (other) credentials; ERROR_UNREACHABLE: the engine does not reach the registry;
 * ERROR_REMOTE: anything else, such as a full disk. Errors say what to do.
 */
MUST_CHECK int pull_ensure(struct pass *pass, const struct action *action, struct error *err);

/* Makes a registry's message an error with a code and a hint. `known`: credentials went along. */
int pull_fail(const char *image, const char *registry, bool known, const char *message,
	      struct error *err);
