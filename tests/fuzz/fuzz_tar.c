/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine answers to GET /containers/{id}/archive: any bytes as a tar stream. A file that is
 * found must have no more content than was in the stream, and be the same when written again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controller/base/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { MAX = 64 * 1024 };
	struct tar_file file, again;
	struct str out;

	if (tar_read((const char *)data, size, MAX, &file) != TAR_FILE || !file.data)
		return 0;
	if (file.size > MAX || file.size < 0)
		__builtin_trap();
	file.path = "again";
	str_init(&out, 0);
	tar_append(&out, &file);
	tar_end(&out);
	if (tar_read(out.data, out.len, MAX, &again) != TAR_FILE || !again.data ||
	    again.size != file.size || memcmp(again.data, file.data, (size_t)file.size) != 0)
		__builtin_trap();
	free((char *)again.data);
	free((char *)file.data);
	str_done(&out);
	return 0;
}
