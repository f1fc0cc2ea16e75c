/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/cli/plan_key.h"

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
	KEY_FILE_MAX = 4096,
	KEY_BYTES = 32,
	KEY_MODE = 0600,
	DIR_MODE = 0700,
	SALT_BYTES = (SAVED_SALT_HEX - 1) / 2,
};

static int random_hex(size_t bytes, char *ret_hex, struct error *err)
{
	unsigned char data[KEY_BYTES];

	if (getrandom(data, bytes, 0) != (ssize_t)bytes)
		return error_errno(err, errno, "getrandom");
	for (size_t i = 0; i < bytes; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", data[i]);
	explicit_bzero(data, sizeof(data));
	return 0;
}

static int make_key(const char *dir, const char *path, struct plan_key *key, struct error *err)
{
	char hex[2 * KEY_BYTES + 1];

	if (random_hex(KEY_BYTES, hex, err) < 0 || io_make_dirs(dir, DIR_MODE, err) < 0 ||
	    io_write_file(path, KEY_MODE, hex, strlen(hex), err) < 0)
		return error_wrap(err, "make a key for saved plans");
	key->text = xstrdup(hex);
	explicit_bzero(hex, sizeof(hex));
	return 0;
}

static int from_state(const char *dir, bool make, struct plan_key *key, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/plan.key", dir);
	size_t len;

	if (io_read_file(path, KEY_FILE_MAX, &key->text, &len, err) == 0)
		return 0;
	if (err->code != ERROR_NOT_FOUND)
		return -1;
	error_clear(err);
	return make ? make_key(dir, path, key, err) : 0;
}

int plan_key_load(const struct context *context, const char *state_dir, bool make,
		  struct plan_key *ret_key, struct error *err)
{
	const char *file = context->options.plan_key_file, *variable = getenv("DREY_PLAN_KEY");
	struct plan_key key = { .given = file || (variable && *variable) };
	size_t len;
	int ret;

	if (file)
		ret = io_read_file(file, KEY_FILE_MAX, &key.text, &len, err);
	else if (key.given)
		ret = (key.text = xstrdup(variable)) ? 0 : -1;
	else
		ret = from_state(state_dir, make, &key, err);
	if (ret < 0)
		return error_wrap(err, "the key of saved plans");
	if (key.text) {
		len = strcspn(key.text, "\r\n");
		key.text[len] = '\0';
		key.key.data = key.text;
		key.key.len = len;
	}
	if (key.text && len < SAVED_KEY_MIN) {
		plan_key_done(&key);
		error_set(err, ERROR_INVALID,
			  "the key of saved plans has %zu bytes, and %d are needed at least", len,
			  SAVED_KEY_MIN);
		return error_hint(err, "'openssl rand -hex 32' makes one");
	}
	if (random_hex(SALT_BYTES, key.key.salt, err) < 0) {
		plan_key_done(&key);
		return -1;
	}
	*ret_key = key;
	return 0;
}

void plan_key_done(struct plan_key *key)
{
	if (key->text)
		explicit_bzero(key->text, strlen(key->text));
	free(key->text);
	*key = (struct plan_key){ 0 };
}
