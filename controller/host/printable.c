/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controller/host/printable.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "controller/base/str.h"

static size_t sequence_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* C1 controls (U+0080 to U+009F) steer terminals as C0 ones do. */
static bool is_control(const char *data, size_t n)
{
	unsigned char first = (unsigned char)data[0];

	if (n == 1)
		return first < 0x20 || first == 0x7f;
	return n == 2 && first == 0xc2 && (unsigned char)data[1] < 0xa0;
}

/* "##[command]" is one to a runner of GitHub Actions, wherever in a line it stands
 * (actions/runner, src/Runner.Common/ActionCommand.cs). */
static bool opens_command(const char *out, size_t used, char c)
{
	return c == '[' && used >= 2 && out[used - 1] == '#' && out[used - 2] == '#';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char *printable_copy(char *out, size_t room, const char *data, size_t len)
{
	static const char ellipsis[] = "…";
	size_t used = 0;

	assert(room >= sizeof(ellipsis));
	while (len > 0 && is_space(*data)) {
		data++;
		len--;
	}
	while (len > 0 && is_space(data[len - 1]))
		len--;
	while (len > 0) {
		size_t n = sequence_length((unsigned char)*data);
		bool sound = n > 0 && n <= len && str_is_utf8(data, n);
		char one = is_space(*data) ? ' ' : '?';
		const char *from = data;

		if (!sound)
			n = 1;
		if (!sound || is_control(data, n) || opens_command(out, used, *data))
			from = &one;
		size_t put = from == &one ? 1 : n;
		/* Every step leaves room for the mark, so there is some when the cut comes. */
		if (used + len >= room && used + put + sizeof(ellipsis) > room) {
			memcpy(out + used, ellipsis, sizeof(ellipsis));
			return out;
		}
		memcpy(out + used, from, put);
		used += put;
		data += n;
		len -= n;
	}
	out[used] = '\0';
	return out;
}
