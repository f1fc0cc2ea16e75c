/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/base/sha256.h"

#include "controller/base/mem.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
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

static EVP_MD *sha256_md;

static void fetch(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256_md != NULL);
}

/* Fetched once: EVP_sha256() has each init look it up again, which costs as much as hashing some
 * kilobytes (https://docs.openssl.org/3.0/man7/crypto/, "Implicit fetching"). */
static const EVP_MD *algorithm(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	return sha256_md;
}

struct sha256 *sha256_new(void)
{
	struct sha256 *sha = xcalloc(1, sizeof(*sha));

	sha->md = EVP_MD_CTX_new();
	must(sha->md != NULL);
	must(EVP_DigestInit_ex(sha->md, algorithm(), NULL));
	return sha;
}

void sha256_update(struct sha256 *sha, const void *data, size_t len)
{
	must(EVP_DigestUpdate(sha->md, data, len));
}

static void write_hex(const unsigned char *digest, unsigned int len, char ret_hex[SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";

	assert(len * 2 + 1 == SHA256_HEX);
	for (size_t i = 0; i < len; i++) {
		ret_hex[2 * i] = digits[digest[i] >> 4];
		ret_hex[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_hex[2 * (size_t)len] = '\0';
}

void sha256_final(struct sha256 *sha, char ret_hex[SHA256_HEX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	must(EVP_DigestFinal_ex(sha->md, digest, &len));
	write_hex(digest, len, ret_hex);
	must(EVP_DigestInit_ex(sha->md, algorithm(), NULL));
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

	must(HMAC(algorithm(), key, (int)key_len, data, len, digest, &digest_len) != NULL);
	write_hex(digest, digest_len, ret_hex);
}
