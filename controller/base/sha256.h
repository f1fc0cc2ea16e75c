/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 (FIPS 180-4) of what comes in pieces, and HMAC with it (RFC 2104), as lower-case hex. */
#pragma once

#include <stddef.h>

enum { SHA256_HEX = 65 }; /* 64 digits and a NUL */

struct sha256;

struct sha256 *sha256_new(void);
void sha256_update(struct sha256 *sha, const void *data, size_t len);
/* Writes the digest and starts afresh. */
void sha256_final(struct sha256 *sha, char ret_hex[SHA256_HEX]);
/* NULL is allowed. */
void sha256_free(struct sha256 *sha);

/* All at once. */
void sha256_hex(const void *data, size_t len, char ret_hex[SHA256_HEX]);

/* With a key of any length. */
void hmac_sha256_hex(const void *key, size_t key_len, const void *data, size_t len,
		     char ret_hex[SHA256_HEX]);
