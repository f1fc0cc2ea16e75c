/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main() of a fuzzer that is built without libFuzzer: each argument is a file with one input. */
#include "controller/base/io.h"
#include "controller/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 * 1024 * 1024 };

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct error err = ERROR_INIT;
		char *data;
		size_t size;

		if (io_read_file(argv[i], INPUT_MAX, &data, &size, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 2;
		}
		/* Said before, for whoever looks at a crash. A copy of the very size: what reads
		 * beyond it is found. */
		printf("%s\n", argv[i]);
		fflush(stdout);
		uint8_t *exact = xmalloc(size ? size : 1);
		memcpy(exact, data, size);
		free(data);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
	return 0;
}
