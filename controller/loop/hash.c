/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/loop/hash.h"

static uint64_t add_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

uint64_t hash_text(uint64_t hash, const char *text)
{
	/* 0xff is no byte of UTF-8, so that neither an end nor NULL is taken for text. */
	if (!text)
		return add_byte(hash, 0xff);
	for (; *text; text++)
		hash = add_byte(hash, (unsigned char)*text);
	return add_byte(hash, 0);
}
