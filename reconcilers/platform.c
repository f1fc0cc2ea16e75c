/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcilers/platform.h"

#include <stdio.h>
#include <string.h>

#include "controller/base/mem.h"

struct platform {
	char os[32], architecture[32], variant[32]; /* "": not said */
};

static void set(char *to, const char *from, size_t len)
{
	snprintf(to, 32, "%.*s", (int)(len < 31 ? len : 31), from);
}

/* Names that a kernel or a distribution has for an architecture. */
static void normalize(struct platform *platform)
{
	static const struct {
		const char *name, *architecture, *variant;
	} others[] = {
		{ "x86_64", "amd64", "" }, { "x86-64", "amd64", "" }, { "aarch64", "arm64", "" },
		{ "i386", "386", "" },	   { "armhf", "arm", "v7" },  { "armel", "arm", "v6" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strcmp(platform->architecture, others[i].name) != 0)
			continue;
		set(platform->architecture, others[i].architecture, 31);
		if (!*platform->variant)
			set(platform->variant, others[i].variant, 31);
	}
	/* There is no other of these. */
	if (strcmp(platform->architecture, "arm64") == 0 && strcmp(platform->variant, "v8") == 0)
		*platform->variant = '\0';
}

/* A word alone is an architecture, unless it is the system that drey keeps. */
static struct platform parse(const char *text)
{
	struct platform platform = { .os = "linux" };
	size_t first = strcspn(text, "/");

	if (text[first]) {
		const char *architecture = text + first + 1;
		size_t second = strcspn(architecture, "/");

		set(platform.os, text, first);
		set(platform.architecture, architecture, second);
		if (architecture[second])
			set(platform.variant, architecture + second + 1, 31);
	} else if (strcmp(text, "linux") != 0) {
		set(platform.architecture, text, first);
	}
	normalize(&platform);
	return platform;
}

static void take(char *to, const json_t *image, const char *upper, const char *lower)
{
	const char *text = json_string_value(json_object_get(image, upper));

	if (!text)
		text = json_string_value(json_object_get(image, lower));
	if (text)
		set(to, text, 31);
}

static struct platform shown(const json_t *image)
{
	struct platform platform = { 0 };

	take(platform.os, image, "Os", "os");
	take(platform.architecture, image, "Architecture", "architecture");
	take(platform.variant, image, "Variant", "variant");
	normalize(&platform);
	return platform;
}

static bool same(const char *a, const char *b)
{
	return !*a || !*b || strcmp(a, b) == 0;
}

bool platform_matches(const char *wanted, const json_t *image)
{
	struct platform want = parse(wanted), have = shown(image);

	return same(want.os, have.os) && same(want.architecture, have.architecture) &&
	       same(want.variant, have.variant);
}

json_t *platform_text(const json_t *image)
{
	struct platform have = shown(image);

	if (!*have.architecture)
		return NULL;
	return json_sprintf("%s/%s%s%s", *have.os ? have.os : "linux", have.architecture,
			    *have.variant ? "/" : "", have.variant);
}
