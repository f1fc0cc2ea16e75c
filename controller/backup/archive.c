/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/backup/archive.h"

#include "controller/backup/listing.h"
#include "controller/base/io.h"
#include "controller/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum {
	LEVEL = 3, /* Zstandard's own default: faster than the engine's tar stream */
};

struct archive_writer {
	char *path, *partial;
	int fd;
	ZSTD_CCtx *zstd;
	struct sha256 *sha;
	void *out;
	size_t out_size;
	struct archive_info info;
	struct tar_tail tail;
};

static void writer_free(struct archive_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	ZSTD_freeCCtx(writer->zstd);
	sha256_free(writer->sha);
	free(writer->out);
	free(writer->partial);
	free(writer->path);
	free(writer);
}

int archive_create(const char *path, struct archive_writer **ret_writer, struct error *err)
{
	struct archive_writer *writer = xcalloc(1, sizeof(*writer));

	writer->path = xstrdup(path);
	writer->partial = xasprintf("%s.partial", path);
	writer->fd =
		open(writer->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (writer->fd < 0) {
		error_errno(err, errno, "create %s", writer->partial);
		writer_free(writer);
		return -1;
	}
	writer->zstd = ZSTD_createCCtx();
	writer->sha = sha256_new();
	writer->out_size = ZSTD_CStreamOutSize();
	writer->out = xmalloc(writer->out_size);
	if (!writer->zstd ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_checksumFlag, 1))) {
		archive_abort(writer);
		return error_set(err, ERROR_SYSTEM, "libzstd can't be set up");
	}
	*ret_writer = writer;
	return 0;
}

/* Compresses what is given; with ZSTD_e_end until the frame is closed. */
static int compress(struct archive_writer *writer, const void *data, size_t len,
		    ZSTD_EndDirective mode, struct error *err)
{
	ZSTD_inBuffer in = { .src = data, .size = len };
	size_t left;

	do {
		ZSTD_outBuffer out = { .dst = writer->out, .size = writer->out_size };

		left = ZSTD_compressStream2(writer->zstd, &out, &in, mode);
		if (ZSTD_isError(left))
			return error_set(err, ERROR_SYSTEM, "compress %s: %s", writer->path,
					 ZSTD_getErrorName(left));
		if (io_write_all(writer->fd, writer->out, out.pos) < 0)
			return error_errno(err, errno, "write %s", writer->partial);
		sha256_update(writer->sha, writer->out, out.pos);
		writer->info.stored_bytes += (int64_t)out.pos;
	} while (mode == ZSTD_e_end ? left > 0 : in.pos < in.size);
	return 0;
}

int archive_write(struct archive_writer *writer, const void *data, size_t len, struct error *err)
{
	writer->info.plain_bytes += (int64_t)len;
	tar_tail_add(&writer->tail, data, len);
	return compress(writer, data, len, ZSTD_e_continue, err);
}

static int sync_parent(const char *path)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(path);
	CLEANUP(cleanup_close) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

int archive_commit(struct archive_writer *writer, struct archive_info *ret_info, struct error *err)
{
	if (compress(writer, NULL, 0, ZSTD_e_end, err) < 0) {
		archive_abort(writer);
		return -1;
	}
	if (fsync(writer->fd) < 0 || rename(writer->partial, writer->path) < 0 ||
	    sync_parent(writer->path) < 0) {
		error_errno(err, errno, "finish %s", writer->path);
		archive_abort(writer);
		return -1;
	}
	sha256_final(writer->sha, writer->info.sha256);
	writer->info.ended = tar_tail_ended(&writer->tail);
	*ret_info = writer->info;
	writer_free(writer);
	return 0;
}

void archive_abort(struct archive_writer *writer)
{
	if (!writer)
		return;
	unlink(writer->partial);
	writer_free(writer);
}

struct archive_reader {
	char *path;
	int fd;
	ZSTD_DCtx *zstd;
	char *buf;
	size_t buf_size;
	ZSTD_inBuffer in;
	size_t pending; /* what libzstd still expects of the frame; 0: it is complete */
};

int archive_open(const char *path, struct archive_reader **ret_reader, struct error *err)
{
	struct archive_reader *reader = xcalloc(1, sizeof(*reader));

	reader->path = xstrdup(path);
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (reader->fd < 0) {
		error_errno(err, errno, "open %s", path);
		archive_close(reader);
		return -1;
	}
	reader->zstd = ZSTD_createDCtx();
	reader->buf_size = ZSTD_DStreamInSize();
	reader->buf = xmalloc(reader->buf_size);
	reader->in.src = reader->buf;
	reader->pending = 1;
	*ret_reader = reader;
	return 0;
}

static int refill(struct archive_reader *reader, struct error *err)
{
	ssize_t n;

	do {
		n = read(reader->fd, reader->buf, reader->buf_size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, errno, "read %s", reader->path);
	reader->in.size = (size_t)n;
	reader->in.pos = 0;
	return 0;
}

ssize_t archive_read(struct archive_reader *reader, void *buf, size_t room, struct error *err)
{
	ZSTD_outBuffer out = { .dst = buf, .size = room };

	while (out.pos == 0) {
		bool drained = reader->in.pos == reader->in.size;

		if (drained && refill(reader, err) < 0)
			return -1;
		if (drained && reader->in.size == 0) {
			if (reader->pending > 0)
				return error_set(err, ERROR_INVALID, "%s is cut short",
						 reader->path);
			return 0;
		}
		size_t left = ZSTD_decompressStream(reader->zstd, &out, &reader->in);
		if (ZSTD_isError(left))
			return error_set(err, ERROR_INVALID, "%s is damaged: %s", reader->path,
					 ZSTD_getErrorName(left));
		reader->pending = left;
	}
	return (ssize_t)out.pos;
}

void archive_close(struct archive_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	ZSTD_freeDCtx(reader->zstd);
	free(reader->buf);
	free(reader->path);
	free(reader);
}

int archive_digest(const char *path, char ret_hex[SHA256_HEX], struct error *err)
{
	enum { CHUNK = 128 * 1024 };
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(cleanup_free) char *buf = xmalloc(CHUNK);

	if (fd < 0)
		return error_errno(err, errno, "open %s", path);
	struct sha256 *sha = sha256_new();
	ssize_t n;
	while ((n = read(fd, buf, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			sha256_free(sha);
			return error_errno(err, errno, "read %s", path);
		}
		sha256_update(sha, buf, (size_t)n);
	}
	sha256_final(sha, ret_hex);
	sha256_free(sha);
	return 0;
}
