/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey docs DIR: the pages of docs/reference that come from the tables. */
#include "controller/base/io.h"
#include "controller/base/mem.h"
#include "controller/cli/cli_reference.h"
#include "manifests/schema_docs.h"
#include "reconcilers/reconciler.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_MODE = 0644, DIR_MODE = 0755 };

static int write_page(const char *dir, const char *name, const struct str *text, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s.md", dir, name);

	return io_write_file(path, PAGE_MODE, text->data, text->len, err);
}

static char *page_name(const struct kind *kind)
{
	char *name = xstrdup(kind->name);

	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

static int write_kinds(const char *dir, struct str *index, struct error *err)
{
	size_t count;
	const struct kind *const *kinds = kinds_all(&count);

	for (size_t i = 0; i < count; i++) {
		CLEANUP(cleanup_free) char *name = page_name(kinds[i]);
		struct str text;

		str_init(&text, 0);
		schema_markdown(kinds[i], &text);
		int result = write_page(dir, name, &text, err);
		str_done(&text);
		if (result < 0)
			return -1;
		str_printf(index, "- [%s](%s.md): %s\n", kinds[i]->name, name, kinds[i]->doc);
	}
	return 0;
}

static int write_pages(const char *dir, struct str *index, struct error *err)
{
	struct str text;

	if (io_make_dirs(dir, DIR_MODE, err) < 0)
		return -1;
	str_append(index, "# Reference\n\n"
			  "Written by `make docs` from the tables that the program itself uses.\n\n"
			  "- [Commands](cli.md), their options, exit codes and environment\n"
			  "- [Output](output.md): the forms of `-o json`\n\n"
			  "Kinds of manifests:\n\n");
	if (write_kinds(dir, index, err) < 0 || write_page(dir, "README", index, err) < 0)
		return -1;
	str_init(&text, 0);
	reference_markdown(commands, &text);
	int result = write_page(dir, "cli", &text, err);
	str_done(&text);
	return result;
}

static int run(struct context *context)
{
	struct error err = ERROR_INIT;
	struct str index;

	str_init(&index, 0);
	int result = write_pages(context->options.args[0], &index, &err);
	str_done(&index);
	return result < 0 ? command_fail(context, EXIT_PARTIAL, &err) : EXIT_IN_STEP;
}

const struct command command_docs = {
	.name = "docs",
	.group = GROUP_OTHER,
	.hidden = true,
	.usage = "DIR",
	.summary = "Write the reference pages",
	.min_args = 1,
	.max_args = 1,
	.complete = "dir",
	.run = run,
};
