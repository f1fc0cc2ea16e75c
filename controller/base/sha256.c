/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/sha256.h"

#include "controller/base/mem.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

struct sha256 {
	EVP_MD_CTX *md;
};

/* libcrypto fails here only when memory is out or the algorithm is missing from the machine:
 * neither can be told from the other, and neither can be lived with. */
static void must(int ok)
{
	if (ok != 1) {
		fputs("drey: libcrypto offers no SHA-256\n", stderr);
		abort();
	}
}

struct sha256 *sha256_new(void)
{
	struct sha256 *sha = xcalloc(1, sizeof(*sha));

	sha->md = EVP_MD_CTX_new();
	must(sha->md != NULL);
	must(EVP_DigestInit_ex(sha->md, EVP_sha256(), NULL));
	return sha;
}

void sha256_update(struct sha256 *sha, const void *data, size_t len)
{
	must(EVP_DigestUpdate(sha->md, data, len));
}

static void write_hex(const unsigned char *digest, unsigned int len, char ret_hex[SHA256_HEX])
{
	assert(len * 2 + 1 == SHA256_HEX);
	for (unsigned int i = 0; i < len; i++)
		snprintf(ret_hex + (size_t)i * 2, 3, "%02x", digest[i]);
}

void sha256_final(struct sha256 *sha, char ret_hex[SHA256_HEX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	must(EVP_DigestFinal_ex(sha->md, digest, &len));
	write_hex(digest, len, ret_hex);
	must(EVP_DigestInit_ex(sha->md, EVP_sha256(), NULL));
}

void sha256_free(struct sha256 *sha)
{
	if (!sha)
		return;
	EVP_MD_CTX_free(sha->md);
	free(sha);
}

void sha256_hex(const void *data, size_t len, char ret_hex[SHA256_HEX])
{
	struct sha256 *sha = sha256_new();

	sha256_update(sha, data, len);
	sha256_final(sha, ret_hex);
	sha256_free(sha);
}

void hmac_sha256_hex(const void *key, size_t key_len, const void *data, size_t len,
		     char ret_hex[SHA256_HEX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;

	must(HMAC(EVP_sha256(), key, (int)key_len, data, len, digest, &digest_len) != NULL);
	write_hex(digest, digest_len, ret_hex);
}
