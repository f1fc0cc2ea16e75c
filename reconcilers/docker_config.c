/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/docker_config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "reconcilers/registry_credentials.h"

enum {
	CONFIG_CEILING = 1024 * 1024,
	HELPER_ANSWER_CEILING = 64 * 1024,
	HELPER_TIMEOUT_MS = 30 * 1000, /* it may ask a cloud's service for a token */
	HELPER_NAME_MAX = 64,
	HELPER_NOT_RUN = 127, /* a shell's word, or a spawn's, for what can't be found */
};

/* What helpers know Docker Hub by (docker/cli, config/configfile). */
static const char hub_key[] = "https://index.docker.io/v1/";

extern char **environ;

static void wipe(char **text)
{
	if (!*text)
		return;
	explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void docker_login_done(struct docker_login *login)
{
	wipe(&login->username);
	wipe(&login->password);
	wipe(&login->identity_token);
}

/* --- entries with the credentials in them --- */

/* "auth": base64 of "user:password"; passwords of old clients end with NULs. */
static int decode_auth(const char *auth, struct docker_login *ret_login, struct error *err)
{
	size_t len = strlen(auth);
	unsigned char *text = xcalloc(1, len + 4);
	int decoded = EVP_DecodeBlock(text, (const unsigned char *)auth, (int)len);
	/* What goes to the engine is JSON, and so UTF-8. */
	bool text_like = decoded > 0 && str_is_utf8((char *)text, strlen((char *)text));
	char *colon = text_like ? strchr((char *)text, ':') : NULL;

	if (colon) {
		ret_login->username = xstrndup((char *)text, (size_t)(colon - (char *)text));
		ret_login->password = xstrdup(colon + 1);
	}
	explicit_bzero(text, len + 4);
	free(text);
	return colon ? 0
		     : error_set(err, ERROR_INVALID,
				 "its \"auth\" is not base64 of user:password in UTF-8");
}

static int read_entry(const json_t *entry, struct docker_login *ret_login, struct error *err)
{
	const char *auth = json_string_value(json_object_get(entry, "auth"));
	const char *token = json_string_value(json_object_get(entry, "identitytoken"));
	const char *username = json_string_value(json_object_get(entry, "username"));
	const char *password = json_string_value(json_object_get(entry, "password"));

	if (token && *token) {
		ret_login->identity_token = xstrdup(token);
		return 0;
	}
	if (auth && *auth)
		return decode_auth(auth, ret_login, err);
	if (!username || !password)
		return error_set(err, ERROR_NOT_FOUND, "its entry holds no credentials");
	ret_login->username = xstrdup(username);
	ret_login->password = xstrdup(password);
	return 0;
}

/* --- helpers --- */

struct helper {
	pid_t pid;
	int in, out; /* our ends of its standard input and output */
};

/* A name from a file becomes part of a program's name: no path may come of it. */
static bool is_helper_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	}
	return len > 0 && len <= HELPER_NAME_MAX;
}

static int spawn_helper(const char *program, struct helper *ret_helper, struct error *err)
{
	char *argv[] = { (char *)program, (char *)"get", NULL };
	posix_spawn_file_actions_t actions;
	int to[2], from[2], rc;

	/* A socket, so that a helper that is gone can't kill us by SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) < 0)
		return error_errno(err, errno, "socketpair");
	if (pipe2(from, O_CLOEXEC) < 0) {
		rc = errno;
		close(to[0]);
		close(to[1]);
		return error_errno(err, rc, "pipe");
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	rc = posix_spawnp(&ret_helper->pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	if (rc != 0) {
		close(to[1]);
		close(from[0]);
		return error_errno(err, rc, "run %s", program);
	}
	ret_helper->in = to[1];
	ret_helper->out = from[0];
	return 0;
}

/* True when all of its answer came before the deadline. */
static bool read_answer(int fd, struct str *answer)
{
	int64_t deadline_ms = io_now_ms() + HELPER_TIMEOUT_MS;

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - io_now_ms();
		char buf[4096];

		if (left_ms <= 0 || answer->overflow)
			return false;
		if (poll(&wait, 1, (int)left_ms) <= 0)
			continue;
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			str_append_n(answer, buf, (size_t)n);
		explicit_bzero(buf, sizeof(buf));
	}
}

static int parse_answer(const char *program, const struct str *answer,
			struct docker_login *ret_login, struct error *err)
{
	json_t *reply = json_loadb(answer->data, answer->len, 0, NULL);
	const char *username = json_string_value(json_object_get(reply, "Username"));
	const char *secret = json_string_value(json_object_get(reply, "Secret"));
	int ret = 0;

	if (!username || !secret)
		ret = error_set(err, ERROR_INVALID, "%s answered without credentials", program);
	else if (strcmp(username, "<token>") == 0)
		ret_login->identity_token = xstrdup(secret);
	else {
		ret_login->username = xstrdup(username);
		ret_login->password = xstrdup(secret);
	}
	json_decref(reply);
	return ret;
}

/* A helper reads the server's name from its standard input and answers with JSON. */
static int ask_helper(const char *name, const char *server, struct docker_login *ret_login,
		      struct error *err)
{
	CLEANUP(cleanup_free) char *program = xasprintf("docker-credential-%s", name);
	struct helper helper = { 0 };
	struct str answer;
	int status = 0, ret;

	if (!is_helper_name(name))
		return error_set(err, ERROR_INVALID,
				 "the name of its credential helper is not a plain word");
	if (spawn_helper(program, &helper, err) < 0)
		return error_hint(err, "is it installed where drey runs?");
	str_init(&answer, HELPER_ANSWER_CEILING);
	/* The buffer holds a server's name. A helper that has answered without reading it may be
	 * gone already; one that waits for more is ended by the deadline. */
	(void)!send(helper.in, server, strlen(server), MSG_NOSIGNAL);
	close(helper.in);
	bool whole = read_answer(helper.out, &answer);
	close(helper.out);
	if (!whole)
		kill(helper.pid, SIGKILL);
	while (waitpid(helper.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!whole)
		ret = error_set(err, ERROR_TIMEOUT, "%s did not answer within %d s", program,
				HELPER_TIMEOUT_MS / 1000);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == HELPER_NOT_RUN)
		ret = error_set(err, ERROR_NOT_FOUND,
				"%s could not be run; is it installed where drey runs?", program);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		ret = error_set(err, ERROR_NOT_FOUND, "%s has no credentials for %s", program,
				server);
	else
		ret = parse_answer(program, &answer, ret_login, err);
	explicit_bzero(answer.data, answer.len);
	str_done(&answer);
	return ret;
}

/* --- config.json --- */

/* The value for a registry among keys that people and programs write in several ways. */
static const json_t *find_entry(const json_t *entries, const char *registry, const char **ret_key)
{
	const json_t *entry;
	const char *key;

	json_object_foreach ((json_t *)entries, key, entry) {
		CLEANUP(cleanup_free) char *name = registry_normalise(key);

		if (strcmp(name, registry) == 0) {
			*ret_key = key;
			return entry;
		}
	}
	return NULL;
}

static int find_login(const json_t *config, const char *registry, struct docker_login *ret_login,
		      struct error *err)
{
	const char *server = strcmp(registry, "docker.io") == 0 ? hub_key : registry;
	const char *store = json_string_value(json_object_get(config, "credsStore"));
	const json_t *entry = find_entry(json_object_get(config, "credHelpers"), registry, &server);

	if (json_is_string(entry))
		return ask_helper(json_string_value(entry), server, ret_login, err);
	if (store && *store)
		return ask_helper(store, server, ret_login, err);
	entry = find_entry(json_object_get(config, "auths"), registry, &server);
	if (!entry)
		return error_set(err, ERROR_NOT_FOUND, "there is no entry for %s in it", registry);
	return read_entry(entry, ret_login, err);
}

static char *usual_path(void)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	return dir && *dir ? xasprintf("%s/config.json", dir)
			   : xasprintf("%s/.docker/config.json", home && *home ? home : "/root");
}

static int read_login(const char *file, const char *registry, struct docker_login *ret_login,
		      struct error *err)
{
	char *text = NULL;
	size_t len;
	json_error_t fault;

	if (io_read_file(file, CONFIG_CEILING, &text, &len, err) < 0)
		return -1;
	json_t *config = json_loadb(text, len, 0, &fault);
	explicit_bzero(text, len);
	free(text);
	if (!json_is_object(config)) {
		json_decref(config);
		return error_set(err, ERROR_INVALID, "%s:%d: not a JSON object", file, fault.line);
	}
	int rc = find_login(config, registry, ret_login, err);
	json_decref(config);
	return rc < 0 ? error_wrap(err, "%s", file) : 0;
}

int docker_config_find(const char *path, const char *registry, struct docker_login *ret_login,
		       struct error *err)
{
	CLEANUP(cleanup_free) char *file = path ? xstrdup(path) : usual_path();
	struct docker_login login = { 0 };

	if (read_login(file, registry, &login, err) < 0) {
		docker_login_done(&login);
		return error_hint(err,
				  "run 'docker login %s' where drey runs, or write username and "
				  "password",
				  registry);
	}
	*ret_login = login;
	return 0;
}
