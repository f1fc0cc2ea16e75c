/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/registry_auth.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#include "controller/base/mem.h"

char *registry_auth_encode(const struct registry_auth *auth)
{
	json_t *object =
		auth->identity_token
			? json_pack("{s:s, s:s}", "identitytoken", auth->identity_token,
				    "serveraddress", auth->server)
			: json_pack("{s:s, s:s, s:s}", "username", auth->username, "password",
				    auth->password, "serveraddress", auth->server);
	char *text = json_dumps(object, JSON_COMPACT);
	size_t len = strlen(text);
	char *encoded = xcalloc(1, (len + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)len);
	for (char *c = encoded; *c; c++) {
		if (*c == '+')
			*c = '-';
		else if (*c == '/')
			*c = '_';
	}
	explicit_bzero(text, len);
	free(text);
	json_decref(object);
	return encoded;
}
