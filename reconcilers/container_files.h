/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configs and secrets of a container. A plain engine knows neither: drey puts them into the
 * container's own file system between its creation and its start, and compares what is there byte
 * by byte, with owner and mode. The label drey.files names the places, and never what is in them,
 * so that one which left the manifest is still known.
 */
#pragma once

#include "reconcilers/container.h"

/* A file that a container shall have. */
struct container_file {
	const char *row;    /* "configs", "secrets" */
	const char *target; /* absolute and clean */
	int64_t uid, gid;
	unsigned mode;
	const struct content *content;
};

/* What is there of it. */
struct container_seen {
	const char *target;
	enum { SEEN_NOTHING, SEEN_FILE, SEEN_OTHER } what;
	int64_t uid, gid, size;
	unsigned mode;
	bool same;	/* its content */
	size_t differs; /* line, counted from 1, of the first difference */
};

extern const struct schema container_config_schema, container_secret_schema;

/* The files of both rows, in the arena. */
const struct container_file *container_files(const struct resource *want, struct arena *arena,
					     size_t *ret_count);

/* Faults of a spec: two files at one place, or where they could not be seen. `fault` takes the path
 * within the spec. */
void container_files_verify(const struct resource *resource,
			    void (*fault)(void *ctx, const char *path, const char *message),
			    void *ctx);

/* Value of the label drey.files; new reference, NULL for a container without files. */
json_t *container_files_label(const struct resource *want);

/* Queues reading what is there of the files of `want`. */
void container_files_look(struct pass *pass, struct object *object, const struct resource *want);

/* Takes the answer of GET /containers/{id}/archive: a tar stream, maybe cut. */
struct container_seen container_files_seen(const struct container_file *file, const char *bytes,
					   size_t len);

/* Adds the differences to action->changes. */
void container_files_compare(struct action *action, struct arena *arena);

/* Is the path one of the files of `want`, or a directory on the way to one? */
bool container_files_lead(const struct resource *want, const char *path);

/* A volume that the image declares and that would hide or take one of the files; NULL: none. */
const char *container_files_hidden(const struct resource *want, const json_t *image,
				   struct arena *arena);

/* Puts all of them into a container that has never been started. */
MUST_CHECK int container_files_put(struct pass *pass, const struct action *action, const char *id,
				   struct error *err);
