/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/mem.h"

enum { BLOCK = 512 };

/* The header of ustar: POSIX.1-2017, pax, "ustar Header Block". */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* Digits and a NUL; false where the number has more. */
static bool put_octal(char *to, size_t room, int64_t value)
{
	char text[24];
	int digits = (int)room - 1;

	if (value < 0 ||
	    snprintf(text, sizeof(text), "%0*" PRIo64, digits, (uint64_t)value) > digits)
		return false;
	memcpy(to, text, room);
	return true;
}

static void put_octal_or_zero(char *to, size_t room, int64_t value)
{
	if (!put_octal(to, room, value))
		put_octal(to, room, 0);
}

static void append_block(struct str *out, struct header *header)
{
	unsigned sum = 0;

	memcpy(header->magic, "ustar", sizeof(header->magic));
	memcpy(header->version, "00", sizeof(header->version));
	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += ((const unsigned char *)header)[i];
	put_octal(header->checksum, sizeof(header->checksum) - 1, sum);
	str_append_n(out, header, BLOCK);
}

static void append_data(struct str *out, const char *data, size_t len)
{
	static const char zeros[BLOCK];

	str_append_n(out, data, len);
	if (len % BLOCK)
		str_append_n(out, zeros, BLOCK - len % BLOCK);
}

/* "LENGTH KEY=VALUE\n", where the length counts its own digits too. */
static void add_record(struct str *records, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, len = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", len) + rest != len)
		len++;
	str_printf(records, "%zu %s=%s\n", len, key, value);
}

static void add_number(struct str *records, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	add_record(records, key, text);
}

static void append_records(struct str *out, const struct str *records)
{
	struct header header = { .name = "pax", .type = 'x' };

	put_octal(header.mode, sizeof(header.mode), 0600);
	put_octal(header.uid, sizeof(header.uid), 0);
	put_octal(header.gid, sizeof(header.gid), 0);
	put_octal(header.size, sizeof(header.size), (int64_t)records->len);
	put_octal(header.mtime, sizeof(header.mtime), 0);
	append_block(out, &header);
	append_data(out, records->data, records->len);
}

void tar_append(struct str *out, const struct tar_file *file)
{
	struct header header = { .type = '0' };
	struct str records;
	size_t len = strlen(file->path);

	str_init(&records, 0);
	if (len > sizeof(header.name))
		add_record(&records, "path", file->path);
	memcpy(header.name, file->path, len < sizeof(header.name) ? len : sizeof(header.name));
	put_octal(header.mode, sizeof(header.mode), file->mode & 07777);
	if (!put_octal(header.uid, sizeof(header.uid), file->uid))
		add_number(&records, "uid", file->uid);
	if (!put_octal(header.gid, sizeof(header.gid), file->gid))
		add_number(&records, "gid", file->gid);
	put_octal_or_zero(header.uid, sizeof(header.uid), file->uid);
	put_octal_or_zero(header.gid, sizeof(header.gid), file->gid);
	put_octal_or_zero(header.size, sizeof(header.size), file->size);
	put_octal_or_zero(header.mtime, sizeof(header.mtime), file->mtime);
	if (records.len)
		append_records(out, &records);
	append_block(out, &header);
	append_data(out, file->data, (size_t)file->size);
	str_done(&records);
}

void tar_end(struct str *out)
{
	static const char zeros[2 * BLOCK];

	str_append_n(out, zeros, sizeof(zeros));
}

/* NULL where the stream ends early. */
static char *read_content(struct archive *archive, size_t size)
{
	char *data = xmalloc(size + 1);
	size_t len = 0;
	la_ssize_t n = 1;

	while (len < size && (n = archive_read_data(archive, data + len, size - len)) > 0)
		len += (size_t)n;
	data[len] = '\0';
	if (len == size)
		return data;
	free(data);
	return NULL;
}

static enum tar_entry take_entry(struct archive *archive, size_t max, struct tar_file *ret_file)
{
	struct archive_entry *entry;
	int rc = archive_read_next_header(archive, &entry);

	/* WARN: a name that is not of the thread's locale; it is of no interest here. */
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return TAR_INVALID;
	if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFREG)
		return TAR_OTHER;
	int64_t size = archive_entry_size(entry);
	*ret_file = (struct tar_file){
		.mode = (unsigned)archive_entry_mode(entry) & 07777,
		.uid = archive_entry_uid(entry),
		.gid = archive_entry_gid(entry),
		.mtime = archive_entry_mtime(entry),
		.size = size < 0 ? 0 : size,
	};
	if (ret_file->size <= (int64_t)max)
		ret_file->data = read_content(archive, (size_t)ret_file->size);
	return TAR_FILE;
}

enum tar_entry tar_read(const char *data, size_t len, size_t max, struct tar_file *ret_file)
{
	struct archive *archive = archive_read_new();
	enum tar_entry what = TAR_INVALID;

	archive_read_support_format_tar(archive);
	if (archive_read_open_memory(archive, data, len) == ARCHIVE_OK)
		what = take_entry(archive, max, ret_file);
	archive_read_free(archive);
	return what;
}
