/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The value of X-Registry-Auth: credentials that an engine passes on to a registry. */
#pragma once

struct registry_auth {
	const char *username, *password; /* both, or */
	const char *identity_token;	 /* this, as `docker login` may have got one */
	const char *server;		 /* the registry's host and port, without scheme */
};

/* base64url with padding of a JSON object. An engine ignores what it can't decode and pulls
 * anonymously, so the encoding must be exact (moby api/types/registry, DecodeAuthConfig). The
 * text is a secret: wipe it, then free(3). */
char *registry_auth_encode(const struct registry_auth *auth);
