/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files on their way into a container. */
#include <string.h>
#include <time.h>

#include "controller/base/tar.h"
#include "reconcilers/container_files.h"
#include "reconcilers/container_steps.h"

enum {
	ATTEMPTS = 2,
	UPLOAD_TIMEOUT_MS = 60 * 1000, /* without anything moving */
};

/* The directories on the way that are missing the engine makes, as root's and with 0755 (moby
 * pkg/archive, ImpliedDirectoryMode; 20.10 does the same by its umask). */
static void pack(struct str *tar, const struct container_file *files, size_t count)
{
	str_init(tar, 0);
	for (size_t i = 0; i < count; i++) {
		const struct tar_file file = {
			.path = files[i].target + 1,
			.mode = files[i].mode,
			.uid = files[i].uid,
			.gid = files[i].gid,
			.mtime = time(NULL),
			.data = files[i].content->data,
			.size = (int64_t)files[i].content->len,
		};

		tar_append(tar, &file);
	}
	tar_end(tar);
}

static int send_files(struct pass *pass, const char *id, const struct str *tar, struct error *err)
{
	CLEANUP(cleanup_free) char *path = engine_path("/containers/%s/archive?path=/", id);
	int rc = -1;

	/* Putting the same again changes nothing: what a lost answer means need not be asked. */
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		error_clear(err);
		rc = engine_put_tar(pass->engine, path, tar, 0, UPLOAD_TIMEOUT_MS, err);
		if (rc == 0 || !call_is_lost(err))
			break;
	}
	return rc;
}

int container_files_put(struct pass *pass, const struct action *action, const char *id,
			struct error *err)
{
	const struct resource *want = action->want;
	struct str tar;
	size_t count;
	const struct container_file *files = container_files(want, pass->arena, &count);
	const char *hidden;

	if (!count)
		return 0;
	hidden = container_files_hidden(want, pass_image(pass, resource_string(want, "image")),
					pass->arena);
	if (hidden)
		return error_set(err, ERROR_REFUSED, "%s", hidden);
	container_step(pass, action, "put its files in place");
	pack(&tar, files, count);
	int rc = send_files(pass, id, &tar, err);
	explicit_bzero(tar.data, tar.len);
	str_done(&tar);
	return rc < 0 ? error_wrap(err, "put its files in place") : 0;
}
