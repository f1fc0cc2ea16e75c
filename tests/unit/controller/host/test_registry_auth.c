/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/registry_auth.h"

#include <criterion/criterion.h>
#include <string.h>

#include "controller/base/mem.h"

static void expect(struct registry_auth auth, const char *wanted)
{
	CLEANUP(cleanup_free) char *text = registry_auth_encode(&auth);

	cr_expect_str_eq(text, wanted);
}

/* The wanted texts are Python's base64.urlsafe_b64encode() of the JSON. */
Test(registry_auth, known_encodings)
{
	expect((struct registry_auth){ .username = "u", .password = "p", .server = "r:5000" },
	       "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAiLCJzZXJ2ZXJhZGRyZXNzIjoicjo1MDAwIn0=");
	/* Bytes whose base64 has the two letters in which the alphabets differ. */
	expect((struct registry_auth){ .username = "u", .password = "?\?\?>>>~~~", .server = "r" },
	       "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6Ij8_Pz4-Pn5-fiIsInNlcnZlcmFkZHJlc3MiOiJyIn0=");
	expect((struct registry_auth){ .identity_token = "t", .server = "r" },
	       "eyJpZGVudGl0eXRva2VuIjoidCIsInNlcnZlcmFkZHJlc3MiOiJyIn0=");
}

Test(registry_auth, length_and_alphabet)
{
	char password[64] = "";

	for (size_t len = 1; len < sizeof(password) - 1; len++) {
		password[len - 1] = (char)('!' + len * 41 % 90);
		struct registry_auth auth = { .username = "a\"b",
					      .password = password,
					      .server = "r" };
		CLEANUP(cleanup_free) char *text = registry_auth_encode(&auth);
		cr_assert_eq(strlen(text) % 4, 0);
		cr_assert_eq(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					  "0123456789-_="),
			     strlen(text));
	}
}
