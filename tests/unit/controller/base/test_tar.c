/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 4096 };

static struct str tar;

static void setup(void)
{
	str_init(&tar, 0);
}

static void teardown(void)
{
	str_done(&tar);
}

TestSuite(tar, .init = setup, .fini = teardown);

/* A file through the writer and libarchive's reader. */
static void expect_same(const struct tar_file *file)
{
	struct tar_file there;

	str_clear(&tar);
	tar_append(&tar, file);
	tar_end(&tar);
	cr_expect_eq(tar.len % 512, 0);
	cr_assert_eq(tar_read(tar.data, tar.len, MAX, &there), TAR_FILE);
	cr_expect_eq(there.uid, file->uid);
	cr_expect_eq(there.gid, file->gid);
	cr_expect_eq(there.mode, file->mode);
	cr_expect_eq(there.mtime, file->mtime);
	cr_assert_eq(there.size, file->size);
	cr_assert(there.data);
	cr_expect_eq(memcmp(there.data, file->data, (size_t)file->size), 0);
	free((char *)there.data);
}

/* The name that a reader sees. */
static const char *name_in(const struct str *stream, char name[512])
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_tar(archive);
	cr_assert_eq(archive_read_open_memory(archive, stream->data, stream->len), ARCHIVE_OK);
	cr_assert_eq(archive_read_next_header(archive, &entry), ARCHIVE_OK);
	snprintf(name, 512, "%s", archive_entry_pathname(entry));
	archive_read_free(archive);
	return name;
}

Test(tar, what_is_written_reads_back)
{
	struct tar_file file = { "etc/x.conf", 0440, 33, 34, 1700000000, "a\0b\n", 4 };

	expect_same(&file);
	file.size = 0;
	expect_same(&file);
	file.uid = 999999999; /* more than seven octal digits */
	file.gid = 2097152;
	file.mode = 04755;
	expect_same(&file);
	char block[513];
	memset(block, 'x', sizeof(block));
	file.data = block;
	for (file.size = 511; file.size <= 513; file.size++)
		expect_same(&file);
}

Test(tar, long_names)
{
	char path[301], name[512];
	struct tar_file file = { path, 0444, 0, 0, 0, "x", 1 };

	/* 100 bytes fit into the header; with more digits in the length the record grows. */
	for (size_t len = 98; len <= 103; len++) {
		memset(path, 'p', len);
		path[len] = '\0';
		expect_same(&file);
		cr_expect_str_eq(name_in(&tar, name), path);
	}
	memset(path, 'q', 300);
	path[300] = '\0';
	expect_same(&file);
	cr_expect_str_eq(name_in(&tar, name), path);
}

Test(tar, several_files)
{
	const struct tar_file one = { "one", 0444, 0, 0, 0, "1", 1 };
	const struct tar_file two = { "two", 0444, 0, 0, 0, "22", 2 };
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;

	tar_append(&tar, &one);
	tar_append(&tar, &two);
	tar_end(&tar);
	archive_read_support_format_tar(archive);
	cr_assert_eq(archive_read_open_memory(archive, tar.data, tar.len), ARCHIVE_OK);
	cr_assert_eq(archive_read_next_header(archive, &entry), ARCHIVE_OK);
	cr_assert_eq(archive_read_next_header(archive, &entry), ARCHIVE_OK);
	cr_expect_str_eq(archive_entry_pathname(entry), "two");
	cr_expect_eq(archive_entry_size(entry), 2);
	cr_expect_eq(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
	archive_read_free(archive);
}

Test(tar, what_is_hostile)
{
	const struct tar_file file = { "f", 0444, 0, 0, 0, "0123456789", 10 };
	struct tar_file there = { 0 };

	tar_append(&tar, &file);
	tar_end(&tar);
	/* Larger than wanted: its size alone. */
	cr_expect_eq(tar_read(tar.data, tar.len, 9, &there), TAR_FILE);
	cr_expect_eq(there.size, 10);
	cr_expect_null(there.data);
	/* Cut within the content, within the header, and nothing at all. */
	cr_expect_eq(tar_read(tar.data, 515, MAX, &there), TAR_FILE);
	cr_expect_null(there.data);
	cr_expect_eq(tar_read(tar.data, 300, MAX, &there), TAR_INVALID);
	cr_expect_eq(tar_read(tar.data, 0, MAX, &there), TAR_INVALID);
	cr_expect_eq(tar_read("{\"message\":\"no\"}", 16, MAX, &there), TAR_INVALID);
	/* A link in its place; the checksum with it. */
	tar.data[156] = '2';
	tar.data[153] = (char)(tar.data[153] + 2);
	cr_expect_eq(tar_read(tar.data, tar.len, MAX, &there), TAR_OTHER);
}
