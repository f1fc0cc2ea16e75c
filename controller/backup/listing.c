/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/listing.h"

#include "controller/backup/helper.h"
#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/sha256.h"
#include "controller/base/str.h"

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

enum {
	CHUNK = 128 * 1024,
	TAIL = 1024,
	ENTRIES_MAX = 20 * 1000 * 1000,
	LISTING_FILE_MAX = 2000 * 1000 * 1000,
};

void tar_tail_add(struct tar_tail *tail, const char *data, size_t len)
{
	size_t run = 0;

	while (run < len && run < TAIL && data[len - run - 1] == '\0')
		run++;
	tail->zeros = run == len ? tail->zeros + run : run;
}

bool tar_tail_ended(const struct tar_tail *tail)
{
	return tail->zeros >= TAIL;
}

void listing_done(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->lines[i]);
	free(listing->lines);
	*listing = (struct listing){ 0 };
}

static void add(struct listing *listing, char *line)
{
	if (listing->count == listing->room) {
		listing->room = listing->room ? listing->room * 2 : 64;
		listing->lines =
			xreallocarray(listing->lines, listing->room, sizeof(*listing->lines));
	}
	listing->lines[listing->count++] = line;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct listing *listing)
{
	if (listing->count)
		qsort(listing->lines, listing->count, sizeof(*listing->lines), compare_lines);
}

struct feed {
	listing_source source;
	void *ctx;
	struct error *err; /* of the source */
	char buf[CHUNK];
};

static la_ssize_t feed_read(struct archive *archive, void *ctx, const void **ret_buf)
{
	struct feed *feed = ctx;
	ssize_t n = feed->source(feed->ctx, feed->buf, sizeof(feed->buf), feed->err);

	if (n < 0)
		archive_set_error(archive, -1, "the source failed");
	*ret_buf = feed->buf;
	return n;
}

/* One spelling for any file name there can be. */
static char *escape(const char *path)
{
	struct str out;
	bool utf8 = str_is_utf8(path, strlen(path));

	str_init(&out, 0);
	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if (*p < 0x20 || *p == 0x7f || *p == '%' || (*p >= 0x80 && !utf8))
			str_printf(&out, "%%%02X", *p);
		else
			str_append_char(&out, (char)*p);
	}
	return str_take(&out);
}

/* Of an entry, relative to the volume; "." is the volume itself. */
static char *escape_path(const char *path)
{
	const char *below =
		str_has_prefix(path, HELPER_ROOT "/") ? path + strlen(HELPER_ROOT "/") : path;
	char *escaped = escape(*below ? below : ".");

	for (size_t len = strlen(escaped); len > 1 && escaped[len - 1] == '/'; len--)
		escaped[len - 1] = '\0';
	return escaped;
}

static const char *type_name(mode_t type)
{
	switch (type) {
	case AE_IFREG:
		return "file";
	case AE_IFDIR:
		return "directory";
	case AE_IFLNK:
		return "symlink";
	case AE_IFIFO:
		return "fifo";
	case AE_IFCHR:
		return "character device";
	case AE_IFBLK:
		return "block device";
	default:
		return "other";
	}
}

static int hash_entry(struct archive *archive, struct sha256 *sha, int64_t *ret_size,
		      char ret_hex[SHA256_HEX])
{
	char buf[16 * 1024];
	la_ssize_t n;

	*ret_size = 0;
	while ((n = archive_read_data(archive, buf, sizeof(buf))) > 0) {
		sha256_update(sha, buf, (size_t)n);
		*ret_size += n;
	}
	sha256_final(sha, ret_hex);
	return n < 0 ? -1 : 0;
}

/* Name and hexadecimal value of each. */
static void add_xattrs(struct archive_entry *entry, json_t *line)
{
	const char *name;
	const void *value;
	size_t size;

	if (archive_entry_xattr_reset(entry) == 0)
		return;
	json_t *xattrs = json_object();
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		CLEANUP(cleanup_free) char *key = escape(name);
		struct str hex;

		str_init(&hex, 0);
		for (size_t i = 0; i < size; i++)
			str_printf(&hex, "%02x", ((const unsigned char *)value)[i]);
		json_object_set_new(xattrs, key, json_string(hex.data ? hex.data : ""));
		str_done(&hex);
	}
	json_object_set_new(line, "xattrs", xattrs);
}

static int take_entry(struct archive *archive, struct archive_entry *entry, struct sha256 *sha,
		      struct listing *listing)
{
	const char *path = archive_entry_pathname(entry);
	const char *hardlink = archive_entry_hardlink(entry);
	const char *symlink = archive_entry_symlink(entry);
	mode_t type = archive_entry_filetype(entry);
	char hex[SHA256_HEX];
	int64_t size;

	if (!path)
		return -1;
	CLEANUP(cleanup_free) char *name = escape_path(path);
	/* The path first: sorting the lines sorts by path. */
	json_t *line = json_pack("{s:s, s:s, s:i, s:I, s:I}", "path", name, "type",
				 hardlink ? "hardlink" : type_name(type), "mode",
				 (int)(archive_entry_mode(entry) & 07777), "uid",
				 (json_int_t)archive_entry_uid(entry), "gid",
				 (json_int_t)archive_entry_gid(entry));
	if (hardlink || symlink) {
		CLEANUP(cleanup_free)
		char *target = hardlink ? escape_path(hardlink) : escape(symlink);

		json_object_set_new(line, "target", json_string(target));
	} else if (type == AE_IFREG) {
		if (hash_entry(archive, sha, &size, hex) < 0) {
			json_decref(line);
			return -1;
		}
		json_object_set_new(line, "size", json_integer(size));
		json_object_set_new(line, "sha256", json_string(hex));
		listing->files++;
		listing->bytes += size;
	}
	if (type != AE_IFDIR)
		json_object_set_new(line, "mtime", json_integer(archive_entry_mtime(entry)));
	add_xattrs(entry, line);
	char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(line);
	if (!text)
		return -1;
	add(listing, text);
	return 0;
}

static int read_entries(struct archive *archive, struct listing *listing)
{
	struct sha256 *sha = sha256_new();
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		/* WARN: a name that is no UTF-8; it is taken as its bytes. */
		if ((rc != ARCHIVE_OK && rc != ARCHIVE_WARN) || listing->count >= ENTRIES_MAX ||
		    take_entry(archive, entry, sha, listing) < 0)
			break;
	}
	sha256_free(sha);
	return rc == ARCHIVE_EOF ? 0 : -1;
}

int listing_read(listing_source source, void *ctx, struct listing *ret_listing, struct error *err)
{
	CLEANUP(cleanup_free) struct feed *feed = xcalloc(1, sizeof(*feed));
	struct archive *archive = archive_read_new();
	struct listing listing = { 0 };
	/* libarchive reads pax names by the thread's locale: UTF-8, whatever the machine's is. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t old = utf8 ? uselocale(utf8) : (locale_t)0;

	*feed = (struct feed){ .source = source, .ctx = ctx, .err = err };
	error_clear(err);
	archive_read_support_format_tar(archive);
	archive_read_support_format_empty(archive);
	int rc = archive_read_open(archive, feed, NULL, feed_read, NULL) == ARCHIVE_OK
			 ? read_entries(archive, &listing)
			 : -1;
	if (rc < 0 && err->code == ERROR_NONE)
		error_set(err, ERROR_INVALID, "not a whole tar stream: %s",
			  archive_error_string(archive) ? archive_error_string(archive)
							: "an entry could not be read");
	archive_read_free(archive);
	if (utf8) {
		uselocale(old);
		freelocale(utf8);
	}
	if (rc < 0) {
		listing_done(&listing);
		return -1;
	}
	sort(&listing);
	*ret_listing = listing;
	return 0;
}

int listing_save(const struct listing *listing, const char *path, struct error *err)
{
	struct str text;

	str_init(&text, LISTING_FILE_MAX);
	for (size_t i = 0; i < listing->count; i++) {
		str_append(&text, listing->lines[i]);
		str_append_char(&text, '\n');
	}
	int rc = text.overflow ? error_set(err, ERROR_INVALID, "%s would be too large", path)
			       : io_write_file(path, 0600, text.data, text.len, err);
	str_done(&text);
	return rc;
}

int listing_load(const char *path, struct listing *ret_listing, struct error *err)
{
	CLEANUP(cleanup_free) char *text = NULL;
	struct listing listing = { 0 };
	size_t len;

	if (io_read_file(path, LISTING_FILE_MAX, &text, &len, err) < 0)
		return -1;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		add(&listing, xstrndup(line, (size_t)(end - line)));
	sort(&listing);
	*ret_listing = listing;
	return 0;
}

static void name_of(const char *line, struct str *out)
{
	json_t *entry = json_loads(line, 0, NULL);
	const char *path = json_string_value(json_object_get(entry, "path"));

	str_init(out, 0);
	str_append(out, path ? path : line);
	json_decref(entry);
}

static int differ(const char *line, const char *how, const char *what, const char *more,
		  struct error *err)
{
	struct str name;

	name_of(line, &name);
	error_set(err, ERROR_REMOTE, "%s: %s %s%s", name.data, how, what, more);
	str_done(&name);
	return -1;
}

int listing_compare(const struct listing *expected, const struct listing *found, const char *what,
		    struct error *err)
{
	size_t i = 0;

	while (i < expected->count && i < found->count &&
	       strcmp(expected->lines[i], found->lines[i]) == 0)
		i++;
	if (i == expected->count && i == found->count)
		return 0;
	if (i == expected->count)
		return differ(found->lines[i], "is there, but not in", what, "", err);
	if (i == found->count || strcmp(expected->lines[i], found->lines[i]) < 0)
		return differ(expected->lines[i], "is missing or differs from", what, "", err);
	return differ(found->lines[i], "differs from", what, ", or is not in it", err);
}
