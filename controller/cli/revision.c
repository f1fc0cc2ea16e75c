/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/revision.h"

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/engine.h"

#include <git2.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Path of `dir` within the work tree, "" for the whole of it; NULL when it lies outside. */
static char *path_in_tree(git_repository *repository, const char *dir)
{
	const char *tree = git_repository_workdir(repository);
	CLEANUP(cleanup_free) char *root = tree ? realpath(tree, NULL) : NULL;
	CLEANUP(cleanup_free) char *real = realpath(dir, NULL);

	if (!root || !real)
		return NULL;
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(real, root, len) != 0 || (real[len] && real[len] != '/'))
		return NULL;
	return xstrdup(real[len] ? real + len + 1 : "");
}

static int stop_at_first(const char *path, unsigned status, void *ctx)
{
	bool *dirty = ctx;

	(void)path;
	(void)status;
	*dirty = true;
	return 1;
}

static bool is_dirty(git_repository *repository, char *below)
{
	git_status_options options = GIT_STATUS_OPTIONS_INIT;
	bool dirty = false;

	options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
	options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES |
			GIT_STATUS_OPT_DISABLE_PATHSPEC_MATCH;
	if (*below)
		options.pathspec = (git_strarray){ .strings = &below, .count = 1 };
	git_status_foreach_ext(repository, &options, stop_at_first, &dirty);
	return dirty;
}

static char *first_line(const char *message)
{
	while (*message == '\n')
		message++;
	return xstrndup(message, strcspn(message, "\n"));
}

/* A commit that contains the directory: one that was written here, not one in whose work tree an
 * ignored directory happens to lie. */
static bool is_in_commit(git_commit *commit, const char *below)
{
	git_tree_entry *entry = NULL;
	git_tree *tree = NULL;
	bool found = false;

	if (!*below)
		return true;
	if (git_commit_tree(&tree, commit) == 0)
		found = git_tree_entry_bypath(&entry, tree, below) == 0;
	git_tree_entry_free(entry);
	git_tree_free(tree);
	return found;
}

static bool read_commit(git_repository *repository, const char *dir, struct revision *revision)
{
	CLEANUP(cleanup_free) char *below = path_in_tree(repository, dir);
	git_object *object = NULL;
	char hex[GIT_OID_HEXSZ + 1];

	if (!below || git_revparse_single(&object, repository, "HEAD^{commit}") < 0)
		return false;
	git_commit *commit = (git_commit *)object;
	bool found = is_in_commit(commit, below);
	if (found) {
		git_oid_tostr(hex, sizeof(hex), git_object_id(object));
		revision->dirty = is_dirty(repository, below);
		revision->id = xasprintf("%s%s", hex, revision->dirty ? "+" : "");
		revision->subject = first_line(git_commit_message(commit));
	}
	git_object_free(object);
	return found;
}

/* Whether libgit2 need be asked at all, which takes 10 ms to wake up: it reads the certificates of
 * this machine first. */
static bool is_below_git(const char *dir)
{
	CLEANUP(cleanup_free) char *at = realpath(dir, NULL);
	bool found = false;

	for (char *end = at ? at + strlen(at) : NULL; end && !found; end = strrchr(at, '/')) {
		*end = 0;
		CLEANUP(cleanup_free) char *git = xasprintf("%s/.git", at);
		found = access(git, F_OK) == 0;
	}
	return found;
}

void revision_read(const char *dir, const char *digest, struct revision *ret_revision)
{
	git_repository *repository = NULL;

	*ret_revision = (struct revision){ 0 };
	/* libgit2 and libcurl have libssh2 in common, whose count of users is not atomic. */
	engine_set_up();
	if (is_below_git(dir) && git_libgit2_init() >= 0) {
		/*
		 * libgit2 refuses repositories of other users, as git does since CVE-2022-24765,
		 * because git runs what a repository's configuration names (fsmonitor, filters,
		 * pagers). Nothing is run here: only objects, index and files are read. A service
		 * of its own user reading a checkout that a deploy user writes is the usual case.
		 */
		git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
		if (git_repository_open_ext(&repository, dir, 0, NULL) == 0)
			read_commit(repository, dir, ret_revision);
		git_repository_free(repository);
		git_libgit2_shutdown();
	}
	if (!ret_revision->id)
		ret_revision->id = xasprintf("sha256:%s", digest);
}

static void *read_begun(void *arg)
{
	struct revision *revision = arg, found;

	revision_read(revision->dir, revision->digest, &found);
	revision->id = found.id;
	revision->subject = found.subject;
	revision->dirty = found.dirty;
	return NULL;
}

void revision_begin(const char *dir, const char *digest, struct revision *ret_revision)
{
	*ret_revision = (struct revision){ .dir = dir, .digest = digest };
	ret_revision->reading =
		pthread_create(&ret_revision->thread, NULL, read_begun, ret_revision) == 0;
	if (!ret_revision->reading)
		read_begun(ret_revision);
}

void revision_wait(struct revision *revision)
{
	if (revision->reading)
		pthread_join(revision->thread, NULL);
	revision->reading = false;
}

void revision_done(struct revision *revision)
{
	revision_wait(revision);
	free(revision->id);
	free(revision->subject);
	*revision = (struct revision){ 0 };
}
