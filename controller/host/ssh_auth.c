/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/ssh_auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/base/mem.h"
#include "controller/base/str.h"
#include "controller/host/printable.h"

/* One login: what was tried goes into the refusal. */
struct auth {
	struct ssh_login *login;
	struct str tried; /* "key file /k, agent" */
	struct str notes; /* what kept a method from being tried */
	int known;	  /* methods that the server offers; 0 until it told */
};

static void add_to_list(struct str *list, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void add_to_list(struct str *list, const char *fmt, ...)
{
	va_list ap;

	if (list->len > 0)
		str_append(list, ", ");
	va_start(ap, fmt);
	str_vprintf(list, fmt, ap);
	va_end(ap);
}

static bool may_try(const struct auth *auth, int method)
{
	return auth->known == 0 || (auth->known & method);
}

static void learn_methods(struct auth *auth)
{
	auth->known = ssh_userauth_list(auth->login->session, NULL);
}

static int ended(struct auth *auth)
{
	struct ssh_login *login = auth->login;
	const char *why = ssh_get_error(login->session);
	char shown[256];

	error_set(&login->err, ERROR_DENIED,
		  "%s:%d ended the connection during login (tried: %s): %s", login->options.host,
		  login->options.port, auth->tried.len ? auth->tried.data : "nothing",
		  printable_copy(shown, sizeof(shown), why, strlen(why)));
	/* MaxAuthTries in sshd_config: every key that an agent offers is a try. */
	if (login->options.agent)
		error_hint(&login->err, "an agent that holds many keys uses up the tries the "
					"server allows: name the right one as identity_file");
	return -1;
}

static int wait_more(struct auth *auth, const char *doing)
{
	/* libssh goes on saying SSH_AUTH_AGAIN after the server has disconnected. */
	if (!ssh_is_connected(auth->login->session))
		return ended(auth);
	return ssh_login_wait(auth->login, doing);
}

/* 1: logged in; 0: not this way; -1: login->err is set. */
static int judge(struct auth *auth, int rc)
{
	switch (rc) {
	case SSH_AUTH_SUCCESS:
		return 1;
	case SSH_AUTH_DENIED:
	case SSH_AUTH_PARTIAL:
		learn_methods(auth);
		return 0;
	default:
		/* "Too many authentication failures" comes as a disconnection. */
		if (ssh_is_connected(auth->login->session)) {
			learn_methods(auth);
			return 0;
		}
		return ended(auth);
	}
}

/* Asks what the server offers, unless a key that was refused has told: each password that is sent
 * where none is taken counts as a failure. */
static int ask_methods(struct auth *auth)
{
	int rc;

	if (auth->known)
		return 0;
	while ((rc = ssh_userauth_none(auth->login->session, NULL)) == SSH_AUTH_AGAIN)
		if (wait_more(auth, "login"))
			return -1;
	return judge(auth, rc);
}

/* Called for a key that has a passphrase, and for no other. */
static int refuse_passphrase(const char *prompt, char *buf, size_t len, int echo, int verify,
			     void *ctx)
{
	(void)prompt;
	(void)buf;
	(void)len;
	(void)echo;
	(void)verify;
	*(bool *)ctx = true;
	return -1;
}

static int try_key_file(struct auth *auth)
{
	struct ssh_login *login = auth->login;
	const char *file = login->options.identity_file;
	bool locked = false;
	ssh_key key = NULL;

	if (!file || !may_try(auth, SSH_AUTH_METHOD_PUBLICKEY))
		return 0;
	int rc = ssh_pki_import_privkey_file(file, NULL, refuse_passphrase, &locked, &key);
	if (rc != SSH_OK) {
		if (locked)
			add_to_list(&auth->notes,
				    "the key file %s has a passphrase: load it into an agent "
				    "(ssh-add %s) and set agent: true",
				    file, file);
		else if (rc == SSH_EOF)
			add_to_list(&auth->notes, "the key file %s cannot be read (%s)", file,
				    access(file, R_OK) ? strerror(errno) : "empty");
		else
			add_to_list(&auth->notes, "the key file %s holds no private key", file);
		return 0;
	}
	add_to_list(&auth->tried, "key file %s", file);
	while ((rc = ssh_userauth_publickey(login->session, NULL, key)) == SSH_AUTH_AGAIN) {
		if (wait_more(auth, "login by key file")) {
			ssh_key_free(key);
			return -1;
		}
	}
	ssh_key_free(key);
	return judge(auth, rc);
}

static int connect_agent(struct auth *auth)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("SSH_AUTH_SOCK");

	if (!path || !*path) {
		add_to_list(&auth->notes, "no agent runs ($SSH_AUTH_SOCK is not set)");
		return -1;
	}
	if (strlen(path) >= sizeof(address.sun_path)) {
		add_to_list(&auth->notes, "the path in $SSH_AUTH_SOCK is too long");
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	add_to_list(&auth->notes, "the agent at %s does not answer (%s)", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int ask_agent(struct auth *auth)
{
	struct ssh_login *login = auth->login;
	int rc;

	add_to_list(&auth->tried, "agent");
	while ((rc = ssh_userauth_agent(login->session, NULL)) == SSH_AUTH_AGAIN)
		if (wait_more(auth, "login by agent"))
			return -1;
	return judge(auth, rc);
}

static int try_agent(struct auth *auth)
{
	struct ssh_login *login = auth->login;

	if (!login->options.agent || !may_try(auth, SSH_AUTH_METHOD_PUBLICKEY))
		return 0;
	int fd = connect_agent(auth);
	if (fd < 0)
		return 0;
	/* libssh closes the one; the other lets the tunnel cut a wait for the agent short. */
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (mine < 0 || ssh_set_agent_socket(login->session, fd)) {
		add_to_list(&auth->notes, "the agent's socket could not be used");
		close(fd);
		if (mine >= 0)
			close(mine);
		return 0;
	}
	login->agent_asked(login->ctx, mine);
	int rc = ask_agent(auth);
	login->agent_asked(login->ctx, -1);
	close(mine);
	return rc;
}

static int try_password(struct auth *auth)
{
	struct ssh_login *login = auth->login;
	int rc;

	if (!login->options.password || !may_try(auth, SSH_AUTH_METHOD_PASSWORD))
		return 0;
	add_to_list(&auth->tried, "password");
	while ((rc = ssh_userauth_password(login->session, NULL, login->options.password)) ==
	       SSH_AUTH_AGAIN)
		if (wait_more(auth, "login by password"))
			return -1;
	return judge(auth, rc);
}

/* Only the plain case: one prompt, not echoed, which is what sshd's PAM asks a password by. */
static int answer_prompts(struct auth *auth)
{
	ssh_session session = auth->login->session;
	int count = ssh_userauth_kbdint_getnprompts(session);
	char echo = 0;

	if (count == 0)
		return 0;
	if (count == 1)
		(void)ssh_userauth_kbdint_getprompt(session, 0, &echo);
	if (count != 1 || echo) {
		add_to_list(&auth->notes,
			    "the server asks for more than a password (keyboard-interactive)");
		return -1;
	}
	return ssh_userauth_kbdint_setanswer(session, 0, auth->login->options.password) < 0 ? -1
											    : 0;
}

static int try_prompts(struct auth *auth)
{
	struct ssh_login *login = auth->login;
	bool answered = false;

	/* Where the password itself was refused, a prompt for it would count as one more try. */
	if (!login->options.password || !may_try(auth, SSH_AUTH_METHOD_INTERACTIVE) ||
	    may_try(auth, SSH_AUTH_METHOD_PASSWORD))
		return 0;
	add_to_list(&auth->tried, "password (keyboard-interactive)");
	for (;;) {
		int rc = ssh_userauth_kbdint(login->session, NULL, NULL);

		if (rc == SSH_AUTH_AGAIN) {
			if (wait_more(auth, "login by password"))
				return -1;
			continue;
		}
		if (rc != SSH_AUTH_INFO)
			return judge(auth, rc);
		int asked = ssh_userauth_kbdint_getnprompts(login->session);
		/* Asked a second time: the answer was wrong. */
		if ((asked > 0 && answered) || answer_prompts(auth))
			return 0;
		answered |= asked > 0;
	}
}

static int refuse(struct auth *auth)
{
	static const struct {
		int method;
		const char *name;
	} names[] = { { SSH_AUTH_METHOD_PUBLICKEY, "publickey" },
		      { SSH_AUTH_METHOD_PASSWORD, "password" },
		      { SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive" },
		      { SSH_AUTH_METHOD_HOSTBASED, "hostbased" },
		      { SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic" } };
	struct ssh_login *login = auth->login;
	char *user = NULL;
	struct str offers;

	str_init(&offers, 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (auth->known & names[i].method)
			add_to_list(&offers, "%s", names[i].name);
	ssh_options_get(login->session, SSH_OPTIONS_USER, &user);
	error_set(&login->err, ERROR_DENIED,
		  "%s:%d refused the login of %s; tried: %s; the server offers: %s",
		  login->options.host, login->options.port, user ? user : "?",
		  auth->tried.len ? auth->tried.data : "nothing",
		  offers.len ? offers.data : "nothing");
	if (!login->options.identity_file && !login->options.password && auth->tried.len == 0)
		add_to_list(&auth->notes, "set the host's identity_file or password");
	if (auth->notes.len)
		error_hint(&login->err, "%s", auth->notes.data);
	ssh_string_free_char(user);
	str_done(&offers);
	return -1;
}

int ssh_auth_run(struct ssh_login *login)
{
	static int (*const ways[])(struct auth *) = { try_key_file, try_agent, ask_methods,
						      try_password, try_prompts };
	struct auth auth = { .login = login };
	int rc = 0;

	str_init(&auth.tried, 0);
	str_init(&auth.notes, 0);
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(ways); i++)
		rc = ways[i](&auth);
	if (rc == 0)
		refuse(&auth);
	str_done(&auth.tried);
	str_done(&auth.notes);
	return rc > 0 ? 0 : -1;
}
