/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drey version: which drey this is, and which libraries it found here. */
#include "controller/cli/option_rows.h"
#include "controller/cli/output.h"

#include <curl/curl.h>
#include <git2.h>
#include <libssh/libssh.h>
#include <sqlite3.h>
#include <stdio.h>
#include <zstd.h>

static json_t *libraries(void)
{
	int major, minor, patch;
	char git[32];

	git_libgit2_version(&major, &minor, &patch);
	snprintf(git, sizeof(git), "%d.%d.%d", major, minor, patch);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "curl",
			 curl_version_info(CURLVERSION_NOW)->version, "jansson",
			 jansson_version_str(), "git2", git, "ssh", ssh_version(0), "sqlite",
			 sqlite3_libversion(), "zstd", ZSTD_versionString());
}

static int run(struct context *context)
{
	json_t *found = libraries();

	if (context->options.output == OUTPUT_JSON) {
		json_t *document = output_document(context);

		json_object_set_new(document, "version", json_string(DREY_VERSION));
		json_object_set_new(document, "libraries", found);
		output_json(document);
		return EXIT_IN_STEP;
	}
	printf("drey %s\n", DREY_VERSION);
	if (context->options.verbose > 0) {
		const char *name;
		json_t *version;

		json_object_foreach (found, name, version)
			printf("%-8s %s\n", name, json_string_value(version));
	}
	json_decref(found);
	return EXIT_IN_STEP;
}

static const struct option_row *const options[] = { &opt_output, NULL };

const struct command command_version = {
	.name = "version",
	.group = GROUP_OTHER,
	.usage = "[OPTION]...",
	.summary = "Show the version of drey, with -v also those of its libraries",
	.options = options,
	.run = run,
};
