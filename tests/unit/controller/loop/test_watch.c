/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On real directories, with the real clock: inotify is what is tried here. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/loop/watch.h"

struct bench {
	char root[64], *dir;
	struct watch *watch;
};

/* Runs a shell command in the bench's root. */
static void sh(const struct bench *bench, const char *command)
{
	CLEANUP(cleanup_free)
	char *line = xasprintf("cd '%s' && { %s; } >/dev/null 2>&1", bench->root, command);

	cr_assert_eq(system(line), 0, "%s", command);
}

/* Turns until the watch says load (true) or the time is up (false). */
static bool turns(struct watch *watch, int64_t for_ms)
{
	int64_t end_ms = io_now_ms() + for_ms;

	for (;;) {
		struct pollfd fd = { .fd = watch_fd(watch), .events = POLLIN };
		int64_t wait_ms, now_ms = io_now_ms();

		if (watch_poll(watch, now_ms, &wait_ms))
			return true;
		if (now_ms >= end_ms)
			return false;
		if (wait_ms < 0 || wait_ms > end_ms - now_ms)
			wait_ms = end_ms - now_ms;
		poll(&fd, 1, (int)wait_ms);
	}
}

static void start(struct bench *bench, const char *setup)
{
	struct error err = ERROR_INIT;

	*bench = (struct bench){ 0 };
	snprintf(bench->root, sizeof(bench->root), "/tmp/drey-watch-XXXXXX");
	cr_assert_not_null(mkdtemp(bench->root));
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_AUTHOR_NAME", "t", 1);
	setenv("GIT_AUTHOR_EMAIL", "t@example.com", 1);
	setenv("GIT_COMMITTER_NAME", "t", 1);
	setenv("GIT_COMMITTER_EMAIL", "t@example.com", 1);
	bench->dir = xasprintf("%s/fleet", bench->root);
	sh(bench, "mkdir -p fleet/sub && echo 1 > fleet/web.yaml && echo 1 > fleet/sub/db.yaml");
	if (setup)
		sh(bench, setup);
	cr_assert_eq(watch_new(bench->dir, NULL, io_now_ms(), &bench->watch, &err), 0, "%s",
		     err.text);
	cr_assert(turns(bench->watch, 0), "what is there counts as a change");
	cr_assert_not(turns(bench->watch, 0));
}

static void stop(struct bench *bench)
{
	watch_free(bench->watch);
	sh(bench, "cd / && rm -rf \"$OLDPWD\"");
	free(bench->dir);
}

/* Exactly one load follows. */
static void expect_one(const struct bench *bench)
{
	cr_assert(turns(bench->watch, 4000), "no load");
	cr_assert_not(turns(bench->watch, 700), "a second load");
}

static void expect_none(const struct bench *bench, int64_t for_ms)
{
	cr_assert_not(turns(bench->watch, for_ms), "a load");
}

Test(watch, each_way_of_saving_is_one_load)
{
	static const char *const ways[] = {
		"echo 2 > fleet/web.yaml",					/* in place */
		"echo 3 > fleet/.web.tmp && mv fleet/.web.tmp fleet/web.yaml",	/* vim, sed -i */
		"mv fleet/web.yaml fleet/web.yaml~ && echo 4 > fleet/web.yaml", /* emacs */
		"echo 5 > new && mv new fleet/new.yaml",
		"rm fleet/new.yaml",
		"ln -s sub/db.yaml fleet/link.yaml",
		"touch fleet/empty.yaml",
		"echo x > fleet/sub/settings.env",
		"ln -s nowhere fleet/..data_tmp && mv -T fleet/..data_tmp fleet/..data",
		"echo '*.bak' > fleet/.dreyignore",
	};
	struct bench bench;

	start(&bench, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		sh(&bench, ways[i]);
		cr_assert(turns(bench.watch, 4000), "no load: %s", ways[i]);
		cr_assert_not(turns(bench.watch, 400), "a second load: %s", ways[i]);
	}
	stop(&bench);
}

Test(watch, what_is_not_read_loads_nothing)
{
	struct bench bench;

	start(&bench, "mkdir fleet/.cache && touch fleet/.web.yaml.swp");
	sh(&bench, "echo 1 > fleet/.cache/x.yaml; mkdir fleet/.cache/d; echo y > other.yaml; "
		   "echo typing >> fleet/.web.yaml.swp; cat fleet/web.yaml");
	expect_none(&bench, 600);
	stop(&bench);
}

Test(watch, directories_that_come_go_and_move_are_followed)
{
	static const char *const steps[] = {
		"mkdir -p fleet/a/b/c && echo 1 > fleet/a/b/c/x.yaml",
		"echo 2 > fleet/a/b/c/x.yaml",
		"mv fleet/a fleet/z",
		"echo 3 > fleet/z/b/c/x.yaml",
		"rm -r fleet/z/b && mkdir -p fleet/z/b/c",
		"echo 4 > fleet/z/b/c/x.yaml",
		"mkdir outside && echo 1 > outside/y.yaml && mv outside fleet/inside",
		"echo 2 > fleet/inside/y.yaml",
		"mv fleet/inside elsewhere",
	};
	struct bench bench;

	start(&bench, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		sh(&bench, steps[i]);
		cr_assert(turns(bench.watch, 4000), "no load: %s", steps[i]);
		cr_assert_not(turns(bench.watch, 400), "a second load: %s", steps[i]);
	}
	sh(&bench, "echo 3 > elsewhere/y.yaml");
	expect_none(&bench, 400);
	stop(&bench);
}

Test(watch, a_checkout_of_300_files_is_one_load)
{
	struct bench bench;

	start(&bench, "cd fleet && git init -q && git add . && git commit -qm one && "
		      "git checkout -qb two && for d in 1 2 3 4 5 6 7 8 9 10; do mkdir $d; "
		      "for f in $(seq 30); do echo $f > $d/$f.yaml; done; done; rm -r sub; "
		      "git add -A && git commit -qm two && git checkout -q master");
	sh(&bench, "cd fleet && git checkout -q two && test -e 10/30.yaml");
	expect_one(&bench);
	sh(&bench, "cd fleet && git checkout -q master && test ! -e 10");
	expect_one(&bench);
	/* While it runs, too: the watch takes part as the files are written. */
	sh(&bench, "cd fleet && (git checkout -q two &)");
	expect_one(&bench);
	stop(&bench);
}

Test(watch, nothing_is_loaded_while_git_holds_the_index)
{
	struct bench bench;
	int64_t since_ms;

	start(&bench, "git init -q");
	sh(&bench, "touch .git/index.lock && echo 2 > fleet/web.yaml");
	expect_none(&bench, 1500);
	cr_assert_not_null(strstr(watch_obstacle(bench.watch, &since_ms), ".git/index.lock"));
	sh(&bench, "echo 3 > fleet/web.yaml && mv .git/index.lock .git/index");
	expect_one(&bench);
	cr_assert_null(watch_obstacle(bench.watch, &since_ms));
	stop(&bench);
}

Test(watch, worktrees_and_submodules_have_their_own_index)
{
	struct bench bench;

	start(&bench,
	      "rm -r fleet; git init -q main && cd main && mkdir sub && echo 1 > sub/db.yaml && "
	      "git add . && git commit -qm one && git worktree add -q ../fleet -b other && "
	      "cd .. && git init -q lib && cd lib && git commit -qm x --allow-empty && cd ../fleet "
	      "&& git -c protocol.file.allow=always submodule add -q ../lib sub/lib");
	sh(&bench, "touch main/.git/worktrees/fleet/index.lock && echo 2 > fleet/sub/db.yaml");
	expect_none(&bench, 600);
	sh(&bench, "rm main/.git/worktrees/fleet/index.lock");
	expect_one(&bench);
	sh(&bench, "touch $(git -C fleet/sub/lib rev-parse --absolute-git-dir)/index.lock && "
		   "echo 3 > fleet/sub/db.yaml");
	expect_none(&bench, 600);
	sh(&bench, "rm $(git -C fleet/sub/lib rev-parse --absolute-git-dir)/index.lock");
	expect_one(&bench);
	stop(&bench);
}

Test(watch, nothing_is_loaded_while_a_writer_has_a_file_open)
{
	struct bench bench;
	CLEANUP(cleanup_free) char *path = NULL;
	int64_t since_ms;
	int fd;

	start(&bench, NULL);
	path = xasprintf("%s/web.yaml", bench.dir);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	sh(&bench, "echo 2 > fleet/sub/db.yaml");
	expect_none(&bench, 700);
	cr_assert_not_null(
		strstr(watch_obstacle(bench.watch, &since_ms), "web.yaml is being written"));
	cr_assert_eq(write(fd, "a: 1\n", 5), 5);
	expect_none(&bench, 700);
	/* A directory that moves meanwhile does not make it forgotten at once. */
	sh(&bench, "mv fleet/sub fleet/bus");
	expect_none(&bench, 500);
	close(fd);
	expect_one(&bench);

	path[strlen(path) - 5] = '\0';
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	expect_none(&bench, 500);
	close(fd);
	expect_one(&bench);
	stop(&bench);
}

Test(watch, a_writer_that_never_closes_is_not_waited_for_for_ever)
{
	struct bench bench;
	CLEANUP(cleanup_free) char *path = NULL;
	int64_t wait_ms, now_ms;
	int fd;

	start(&bench, NULL);
	path = xasprintf("%s/web.yaml", bench.dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_eq(write(fd, "a: 1\n", 5), 5);
	now_ms = io_now_ms();
	cr_assert_not(watch_poll(bench.watch, now_ms, &wait_ms));
	cr_assert_not(watch_poll(bench.watch, now_ms + WATCH_WRITER_MS - 1, &wait_ms));
	cr_assert_eq(wait_ms, 1);
	cr_assert(watch_poll(bench.watch, now_ms + WATCH_WRITER_MS, &wait_ms));
	close(fd);
	stop(&bench);
}

Test(watch, endless_noise_is_cut)
{
	struct bench bench;
	int64_t begin_ms, wait_ms, now_ms;
	bool loaded = false;

	start(&bench, NULL);
	begin_ms = now_ms = io_now_ms();
	while (!loaded && now_ms < begin_ms + 2 * WATCH_NOISE_MS) {
		sh(&bench, "echo 2 > fleet/web.yaml");
		loaded = watch_poll(bench.watch, now_ms, &wait_ms);
		now_ms += 100;
	}
	cr_assert(loaded);
	cr_assert_geq(now_ms - begin_ms, WATCH_NOISE_MS);
	cr_assert_leq(now_ms - begin_ms, WATCH_NOISE_MS + 200);
	stop(&bench);
}

Test(watch, a_directory_that_is_gone_and_comes_back)
{
	struct bench bench;
	int64_t since_ms;

	start(&bench, NULL);
	sh(&bench, "rm -r fleet");
	expect_none(&bench, 700);
	cr_assert_not_null(strstr(watch_obstacle(bench.watch, &since_ms), "is not there"));
	sh(&bench, "mkdir fleet && echo 2 > fleet/web.yaml");
	expect_one(&bench);
	sh(&bench, "echo 3 > fleet/web.yaml");
	expect_one(&bench);

	sh(&bench, "mv fleet old && mkdir next && echo 4 > next/web.yaml && mv next fleet");
	expect_one(&bench);
	sh(&bench, "echo 5 > old/web.yaml");
	expect_none(&bench, 400);
	stop(&bench);
}

Test(watch, a_directory_whose_parents_are_gone_too)
{
	struct bench bench, inner;

	start(&bench, "mkdir -p p/q && mv fleet p/q/fleet && ln -s p/q/fleet fleet");
	inner = bench;
	sh(&bench, "rm -r p && mkdir -p p/q/fleet && echo 2 > p/q/fleet/web.yaml");
	expect_one(&inner);
	sh(&bench, "echo 3 > p/q/fleet/web.yaml");
	expect_one(&inner);
	/* The link is put in another's place, as a release directory's is. */
	sh(&bench, "mkdir r && echo 4 > r/web.yaml && ln -s r next && mv -T next fleet");
	expect_one(&inner);
	sh(&bench, "echo 5 > r/web.yaml");
	expect_one(&inner);
	stop(&bench);
}

/* What git-sync and most release scripts do: the link is above the directory that is watched. */
Test(watch, what_is_above_may_be_put_in_the_place_of_another)
{
	struct bench bench;

	start(&bench, "rm -r fleet; mkdir -p git/r1/fleet git/r2/fleet && "
		      "for r in 1 2; do echo $r > git/r$r/fleet/web.yaml; done; "
		      "ln -s r1 git/current && ln -s git/current/fleet fleet");
	sh(&bench, "ln -s r2 git/next && mv -T git/next git/current");
	expect_one(&bench);
	sh(&bench, "echo 3 > git/r1/fleet/web.yaml");
	expect_none(&bench, 400);
	sh(&bench, "echo 3 > git/r2/fleet/web.yaml");
	expect_one(&bench);
	sh(&bench, "mkdir -p git/r3/fleet && mv git/r2 git/old && mv git/r3 git/r2");
	expect_one(&bench);
	sh(&bench, "echo 4 > git/r2/fleet/web.yaml");
	expect_one(&bench);
	stop(&bench);
}

Test(watch, what_changes_under_the_reader_is_told)
{
	struct bench bench;

	start(&bench, NULL);
	cr_assert_not(watch_has_moved(bench.watch, io_now_ms()));
	sh(&bench, "echo 2 > fleet/web.yaml");
	cr_assert(turns(bench.watch, 4000));
	cr_assert_not(watch_has_moved(bench.watch, io_now_ms()));
	sh(&bench, "echo 3 > fleet/sub/db.yaml");
	cr_assert(watch_has_moved(bench.watch, io_now_ms()));
	expect_one(&bench);
	cr_assert_not(watch_has_moved(bench.watch, io_now_ms()));
	stop(&bench);
}

Test(watch, who_asks_waits_for_git_and_writers_as_well)
{
	struct bench bench;
	int64_t wait_ms;

	start(&bench, "git init -q");
	watch_ask(bench.watch, io_now_ms());
	cr_assert(watch_poll(bench.watch, io_now_ms(), &wait_ms), "nothing is in the way");
	expect_none(&bench, 300);
	/* Held since before anything was changed. */
	sh(&bench, "touch .git/index.lock");
	expect_none(&bench, 300);
	watch_ask(bench.watch, io_now_ms());
	expect_none(&bench, 300);
	sh(&bench, "rm .git/index.lock");
	expect_one(&bench);
	stop(&bench);
}

Test(watch, a_queue_that_overflows_loses_nothing)
{
	struct bench bench;

	/* The kernel merges what repeats itself, so the names must differ:
	 * fs.inotify.max_queued_events is 16384 by default. */
	start(&bench, NULL);
	sh(&bench, "mkdir fleet/new; cd fleet/sub; for i in $(seq 9000); do : > $i; done; "
		   "echo 1 > ../new/x.yaml");
	cr_assert(turns(bench.watch, 12000), "no load");
	sh(&bench, "echo 2 > fleet/new/x.yaml");
	expect_one(&bench);
	stop(&bench);
}

Test(watch, no_descriptor_is_left_to_children)
{
	struct bench bench;

	start(&bench, NULL);
	sh(&bench, "! ls -l /proc/self/fd | grep inotify");
	stop(&bench);
}

Test(watch, descriptors_above_those_of_select_are_fine)
{
	struct bench bench;
	int last = -1;

	start(&bench, NULL);
	while (last < FD_SETSIZE + 10) {
		last = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (last < 0)
			break; /* the limit of this machine is lower: then nothing can go wrong */
	}
	sh(&bench, "mv fleet/sub fleet/bus");
	expect_one(&bench);
	sh(&bench, "echo 2 > fleet/bus/db.yaml");
	expect_one(&bench);
	stop(&bench);
}

Test(watch, what_is_no_directory_is_an_error)
{
	struct error err = ERROR_INIT;
	struct watch *watch;

	cr_assert_eq(watch_new("/nonexistent/fleet", NULL, 0, &watch, &err), -1);
	cr_assert_eq(err.code, ERROR_NOT_FOUND);
	error_clear(&err);
	cr_assert_eq(watch_new("/etc/passwd", NULL, 0, &watch, &err), -1);
	cr_assert_eq(err.code, ERROR_NOT_FOUND);
}
