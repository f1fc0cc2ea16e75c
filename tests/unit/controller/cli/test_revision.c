/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/cli/revision.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/drey-test-revision-XXXXXX";

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	CLEANUP(cleanup_free) char *text = xvasprintf(fmt, ap);
	va_end(ap);
	CLEANUP(cleanup_free)
	char *command = xasprintf("cd '%s' && export GIT_CONFIG_GLOBAL=/dev/null && %s", dir, text);
	cr_assert_eq(system(command), 0, "%s", text);
}

static void make_checkout(void)
{
	cr_assert_not_null(mkdtemp(dir));
	sh("git init -q . && mkdir -p fleet/sub other build && echo a >fleet/sub/a.yaml && "
	   "echo b >other/b && echo /build >.gitignore && git add . && "
	   "git -c user.name=n -c user.email=e@example.com commit -qm 'Subject line\n\nbody'");
}

static void remove_checkout(void)
{
	CLEANUP(cleanup_free) char *command = xasprintf("rm -rf '%s'", dir);

	cr_assert_eq(system(command), 0);
}

TestSuite(revision, .init = make_checkout, .fini = remove_checkout);

static struct revision read_below(const char *below)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", dir, below);
	struct revision revision;

	revision_read(path, "abc", &revision);
	return revision;
}

Test(revision, is_the_commit_with_its_subject)
{
	struct revision revision = read_below("fleet/sub");
	FILE *git;
	char head[64] = "";

	CLEANUP(cleanup_free) char *command = xasprintf("git -C '%s' rev-parse HEAD", dir);
	cr_assert_not_null(git = popen(command, "r"));
	cr_assert_not_null(fgets(head, sizeof(head), git));
	pclose(git);
	head[strcspn(head, "\n")] = '\0';
	cr_expect_str_eq(revision.id, head);
	cr_expect_str_eq(revision.subject, "Subject line");
	cr_expect_not(revision.dirty);
	revision_done(&revision);
}

Test(revision, plus_when_files_below_differ)
{
	static const char *const changes[] = {
		"echo c >>fleet/sub/a.yaml",
		"echo d >fleet/new.yaml",
		"rm fleet/sub/a.yaml",
		"echo e >>fleet/sub/a.yaml && git add fleet",
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		sh("git reset -q --hard && git clean -qfd && %s", changes[i]);
		struct revision revision = read_below("fleet");
		cr_expect(revision.dirty, "%s", changes[i]);
		cr_expect(str_has_suffix(revision.id, "+"), "%s", revision.id);
		revision_done(&revision);
	}
}

Test(revision, changes_elsewhere_do_not_count)
{
	sh("echo c >>other/b && echo d >new && mkdir fleet2 && echo e >fleet2/x");
	struct revision revision = read_below("fleet");

	cr_expect_not(revision.dirty, "%s", revision.id);
	revision_done(&revision);
	revision = read_below(".");
	cr_expect(revision.dirty, "%s", revision.id);
	revision_done(&revision);
}

Test(revision, an_ignored_directory_has_no_commit)
{
	sh("echo x >build/x.yaml");
	struct revision revision = read_below("build");

	cr_expect_str_eq(revision.id, "sha256:abc");
	cr_expect_null(revision.subject);
	revision_done(&revision);
}

Test(revision, a_digest_outside_of_a_checkout_or_without_commits)
{
	sh("rm -rf .git");
	struct revision revision = read_below("fleet");

	cr_expect_str_eq(revision.id, "sha256:abc");
	revision_done(&revision);
	sh("git init -q .");
	revision = read_below("fleet");
	cr_expect_str_eq(revision.id, "sha256:abc");
	revision_done(&revision);
	sh("echo nonsense >.git/HEAD");
	revision = read_below("fleet");
	cr_expect_str_eq(revision.id, "sha256:abc");
	revision_done(&revision);
}

Test(revision, anothers_checkout_and_a_symlink_to_it)
{
	sh("chown -R 65534 . 2>/dev/null || true; ln -s fleet/sub link");
	struct revision revision = read_below("link");

	cr_expect_eq(strlen(revision.id), 40, "%s", revision.id);
	revision_done(&revision);
}

Test(revision, is_quick)
{
	/* An order of magnitude above what it takes: sanitizers and valgrind run this too. */
	enum { ROUNDS = 20, FILES = 300, ALLOWED_MS = 250 };

	sh("for i in $(seq %d); do echo $i >fleet/sub/f$i.yaml; done; git add . && "
	   "git -c user.name=n -c user.email=e@example.com commit -qm more",
	   FILES);
	int64_t start = io_now_ms();
	for (int i = 0; i < ROUNDS; i++) {
		struct revision revision = read_below("fleet");
		cr_assert_not(revision.dirty);
		revision_done(&revision);
	}
	int64_t each = (io_now_ms() - start) / ROUNDS;
	cr_expect_lt(each, ALLOWED_MS, "%lld ms", (long long)each);
}
