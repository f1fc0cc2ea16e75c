/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/ssh_hostkey.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/base/str.h"

enum { KNOWN_HOSTS_CEILING = 16 * 1024 * 1024 };

/* As ssh(1): $HOME counts, the password database is asked where it is not set. */
static char *default_file(void)
{
	const char *home = getenv("HOME");
	struct passwd entry, *me = NULL;
	char names[1024];

	if (!home || *home != '/') {
		getpwuid_r(geteuid(), &entry, names, sizeof(names), &me);
		home = me ? me->pw_dir : "/";
	}
	return xasprintf("%s/.ssh/known_hosts", home);
}

int ssh_hostkey_set_options(ssh_session session, const char *known_hosts)
{
	CLEANUP(cleanup_free) char *file = known_hosts ? xstrdup(known_hosts) : default_file();

	if (ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, file))
		return -1;
	/* Who names a file means that file alone. */
	return known_hosts ? ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null")
			   : 0;
}

static int learn_key(struct ssh_login *login, const char **ret_type)
{
	ssh_key key = NULL;
	unsigned char *hash = NULL;
	size_t hash_len;
	char *text = NULL;

	*ret_type = "?";
	if (ssh_get_server_publickey(login->session, &key) ||
	    ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &hash_len)) {
		ssh_key_free(key);
		return error_set(&login->err, ERROR_REMOTE, "%s:%d showed no usable host key",
				 login->options.host, login->options.port);
	}
	text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, hash_len);
	*ret_type = ssh_key_type_to_char(ssh_key_type(key));
	free(login->fingerprint);
	login->fingerprint = xstrdup(text ? text : "?");
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
	ssh_key_free(key);

	text = NULL;
	free(login->known_hosts_line);
	login->known_hosts_line = NULL;
	if (ssh_session_export_known_hosts_entry(login->session, &text) == SSH_OK && text) {
		text[strcspn(text, "\r\n")] = '\0';
		login->known_hosts_line = xstrdup(text);
	}
	ssh_string_free_char(text);
	return 0;
}

/* libssh passes over @revoked lines; such a key must not be trusted through another line. */
static bool is_revoked(const char *file, const char *line)
{
	CLEANUP(cleanup_free) char *text = NULL;
	struct error ignored = ERROR_INIT;
	const char *key = line ? strrchr(line, ' ') : NULL;
	char *state = NULL;
	size_t len;

	if (!key || io_read_file(file, KNOWN_HOSTS_CEILING, &text, &len, &ignored))
		return false;
	for (char *at = strtok_r(text, "\n", &state); at; at = strtok_r(NULL, "\n", &state))
		if (str_has_prefix(at, "@revoked ") && strstr(at, key + 1))
			return true;
	return false;
}

/* A key that contradicts the file is not made known by one more line. */
static int offer_nothing(struct ssh_login *login)
{
	free(login->known_hosts_line);
	login->known_hosts_line = NULL;
	return -1;
}

static int refuse_changed(struct ssh_login *login, const char *file, const char *type, bool other)
{
	const struct tunnel_options *o = &login->options;
	char name[300];

	snprintf(name, sizeof(name), o->port == 22 ? "%s" : "[%s]:%d", o->host, o->port);
	error_set(
		&login->err, ERROR_DENIED,
		"the host key of %s:%d %s: it shows %s %s, which %s does not have for it. Somebody "
		"may be in between (an attack). Only if you know why it is another key, remove the "
		"old one with: ssh-keygen -f '%s' -R '%s', and add: %s",
		o->host, o->port, other ? "is of another type than the known one" : "HAS CHANGED",
		type, login->fingerprint, file, file, name,
		login->known_hosts_line ? login->known_hosts_line : "the new line");
	return offer_nothing(login);
}

int ssh_hostkey_check(struct ssh_login *login)
{
	const struct tunnel_options *o = &login->options;
	CLEANUP(cleanup_free)
	char *file = o->known_hosts ? xstrdup(o->known_hosts) : default_file();
	const char *type;

	if (learn_key(login, &type))
		return -1;
	switch (ssh_session_is_known_server(login->session)) {
	case SSH_KNOWN_HOSTS_OK:
		if (!is_revoked(file, login->known_hosts_line))
			return 0;
		error_set(&login->err, ERROR_DENIED,
			  "the host key of %s:%d (%s) is marked @revoked in %s", o->host, o->port,
			  login->fingerprint, file);
		return offer_nothing(login);
	case SSH_KNOWN_HOSTS_CHANGED:
		return refuse_changed(login, file, type, false);
	case SSH_KNOWN_HOSTS_OTHER:
		return refuse_changed(login, file, type, true);
	case SSH_KNOWN_HOSTS_NOT_FOUND:
	case SSH_KNOWN_HOSTS_UNKNOWN:
		return error_set(
			&login->err, ERROR_DENIED,
			"the host key of %s:%d is not known: it shows %s %s. Compare that "
			"with what the server itself says (ssh-keygen -lf "
			"/etc/ssh/ssh_host_%s_key.pub there), then add to %s this line: %s",
			o->host, o->port, type, login->fingerprint,
			str_eq(type, "ssh-ed25519") ? "ed25519"
			: str_eq(type, "ssh-rsa")   ? "rsa"
						    : "ecdsa",
			file, login->known_hosts_line ? login->known_hosts_line : "(none)");
	default:
		return error_set(&login->err, ERROR_DENIED,
				 "cannot check the host key of %s:%d against %s: %s", o->host,
				 o->port, file, ssh_get_error(login->session));
	}
}
