/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes, durations and CPUs: decimals with a unit that become whole bytes, nanoseconds and
 * nano-CPUs. Nothing passes through floating point, so 0.1 is a hundred million nano-CPUs on
 * every machine, and what is not whole is an error instead of rounded.
 *
 * Sizes and durations are written as in the Compose specification (sections "Specifying byte
 * values" and "Specifying durations").
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "controller/base/mem.h"
#include "manifests/schema_types.h"

enum quantity_result { QUANTITY_OK, QUANTITY_MALFORMED, QUANTITY_TOO_LARGE, QUANTITY_NOT_WHOLE };

enum { NANO = 1000000000 };

/* A decimal as written: value is digits / 10^scale. */
struct decimal {
	__int128 digits;
	unsigned scale;
};

/* Reads digits[.digits] and moves *text behind it. */
static enum quantity_result read_decimal(const char **text, struct decimal *ret)
{
	enum { DIGITS_MAX = 30 };
	const char *p = *text;
	unsigned count = 0;
	bool point = false;

	*ret = (struct decimal){ 0 };
	for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (++count > DIGITS_MAX)
			return QUANTITY_TOO_LARGE;
		ret->digits = ret->digits * 10 + (*p - '0');
		ret->scale += point;
	}
	*text = p;
	return count ? QUANTITY_OK : QUANTITY_MALFORMED;
}

/* decimal * unit as a whole number. */
static enum quantity_result scale_decimal(struct decimal decimal, int64_t unit, int64_t *ret)
{
	__int128 digits = decimal.digits;

	while (decimal.scale && digits % 10 == 0) {
		digits /= 10;
		decimal.scale--;
	}
	/* Takes the tens out of the unit first: 30 digits times 2^60 would not fit. */
	while (decimal.scale && unit % 10 == 0) {
		unit /= 10;
		decimal.scale--;
	}
	if (digits > INT64_MAX)
		return decimal.scale ? QUANTITY_NOT_WHOLE : QUANTITY_TOO_LARGE;
	digits *= unit;
	for (; decimal.scale; decimal.scale--) {
		if (digits % 10)
			return QUANTITY_NOT_WHOLE;
		digits /= 10;
	}
	if (digits > INT64_MAX)
		return QUANTITY_TOO_LARGE;
	*ret = (int64_t)digits;
	return QUANTITY_OK;
}

static json_t *quantity(struct decode *decode, const struct field *field, const struct node *node,
			enum quantity_result result, int64_t value, const char *what,
			const char *example)
{
	const char *found = decode_found(decode, node);

	switch (result) {
	case QUANTITY_MALFORMED:
		decode_fault(decode, node, "%s is no %s; expected something like %s", found, what,
			     example);
		return NULL;
	case QUANTITY_TOO_LARGE:
		decode_fault(decode, node, "%s is too large a %s", found, what);
		return NULL;
	case QUANTITY_NOT_WHOLE:
		decode_fault(decode, node, "%s is finer than a %s can be", found, what);
		return NULL;
	case QUANTITY_OK:
		break;
	}
	if ((field->min || field->max) && (value < field->min || value > field->max)) {
		json_t *min = json_integer(field->min), *max = json_integer(field->max);
		struct str range;

		str_init(&range, 0);
		field->type->print(field, min, &range);
		str_append(&range, " to ");
		field->type->print(field, max, &range);
		decode_fault(decode, node, "%s is outside %s", found, range.data);
		str_done(&range);
		json_decref(min);
		json_decref(max);
		return NULL;
	}
	return json_integer(value);
}

/* b, k, kb, m, mb, g, gb; also t, tb, p, pb and the kib of docker/go-units. */
static bool size_unit(const char *text, int64_t *ret)
{
	static const char letters[] = "kmgtp";
	const char *p = text;

	*ret = 1;
	if (!*p || strcasecmp(p, "b") == 0)
		return true;
	const char *letter = strchr(letters, tolower((unsigned char)*p));
	if (!letter)
		return false;
	*ret = INT64_C(1) << (10 * (letter - letters + 1));
	p++;
	return !*p || strcasecmp(p, "b") == 0 || strcasecmp(p, "ib") == 0;
}

static enum quantity_result read_size(const struct field *field, const char *text, int64_t *ret)
{
	struct decimal decimal;
	int64_t unit;

	/* -1 is "no limit" where a row allows it (memswap_limit). */
	if (field->min < 0 && strcmp(text, "-1") == 0) {
		*ret = -1;
		return QUANTITY_OK;
	}
	enum quantity_result result = read_decimal(&text, &decimal);
	if (result != QUANTITY_OK)
		return result;
	text += *text == ' ';
	if (!size_unit(text, &unit))
		return QUANTITY_MALFORMED;
	return scale_decimal(decimal, unit, ret);
}

static json_t *parse_type_size(struct decode *decode, const struct field *field,
			       const struct node *node)
{
	const char *text = decode_scalar(decode, node, "a size such as 512m");
	int64_t bytes = 0;

	if (!text)
		return NULL;
	enum quantity_result result = read_size(field, text, &bytes);
	return quantity(decode, field, node, result, bytes, "size in bytes", "512m or 1.5gb");
}

void print_size(const struct field *field, const json_t *value, struct str *out)
{
	static const char units[] = "KMGTP";
	int64_t number = json_integer_value(value);
	int unit = -1;

	(void)field;
	if (!json_is_integer(value)) {
		print_flow(value, out);
		return;
	}
	while (number > 0 && number % 1024 == 0 && unit < 4) {
		number /= 1024;
		unit++;
	}
	str_printf(out, "%" PRId64, number);
	if (unit >= 0)
		str_append_char(out, units[unit]);
}

static json_t *schema_of_size(const struct field *field)
{
	return json_schema_or_reference(json_pack(
		"{s:[s,s],s:i,s:s}", "type", "integer", "string", "minimum",
		field->min < 0 ? -1 : 0, "pattern",
		"^(-1|([0-9]+(\\.[0-9]*)?|\\.[0-9]+) ?[kKmMgGtTpP]?([iI]?[bB])?)$|\\$\\{"));
}

const struct value_type type_size = {
	.name = "size",
	.shape = SHAPE_SCALAR,
	.parse = parse_type_size,
	.print = print_size,
	.json_schema = schema_of_size,
};

static const struct duration_unit {
	const char *name;
	int64_t ns;
} duration_units[] = {
	/* A name that begins with another's comes first: "ms" before "m". */
	{ "ns", 1 },
	{ "us", 1000 },
	{ "µs", 1000 },
	{ "ms", 1000000 },
	{ "h", (int64_t)3600 * NANO },
	{ "m", (int64_t)60 * NANO },
	{ "s", NANO },
};

static const struct duration_unit *duration_unit(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
		if (str_has_prefix(text, duration_units[i].name))
			return &duration_units[i];
	}
	return NULL;
}

static enum quantity_result read_duration(const char *text, int64_t *ret)
{
	int64_t total = 0;

	if (!*text)
		return QUANTITY_MALFORMED;
	while (*text) {
		struct decimal decimal;
		int64_t part;
		enum quantity_result result = read_decimal(&text, &decimal);

		if (result != QUANTITY_OK)
			return result;
		const struct duration_unit *unit = duration_unit(text);
		if (!unit)
			return QUANTITY_MALFORMED;
		text += strlen(unit->name);
		result = scale_decimal(decimal, unit->ns, &part);
		if (result != QUANTITY_OK)
			return result;
		if (__builtin_add_overflow(total, part, &total))
			return QUANTITY_TOO_LARGE;
	}
	*ret = total;
	return QUANTITY_OK;
}

static json_t *parse_type_duration(struct decode *decode, const struct field *field,
				   const struct node *node)
{
	const char *text = decode_scalar(decode, node, "a duration such as 1m30s");
	int64_t ns = 0;

	if (!text)
		return NULL;
	if (strcmp(text, "0") == 0)
		return quantity(decode, field, node, QUANTITY_OK, 0, "duration", "1m30s");
	if (!text[strspn(text, "0123456789.")] && *text) {
		decode_fault(decode, node, "%s has no unit; did you mean %ss?",
			     decode_found(decode, node), node->secret ? "***" : text);
		return NULL;
	}
	enum quantity_result result = read_duration(text, &ns);
	return quantity(decode, field, node, result, ns, "duration", "1m30s");
}

void print_duration(const struct field *field, const json_t *value, struct str *out)
{
	static const struct duration_unit units[] = {
		{ "h", (int64_t)3600 * NANO },
		{ "m", (int64_t)60 * NANO },
		{ "s", NANO },
		{ "ms", 1000000 },
		{ "us", 1000 },
		{ "ns", 1 },
	};
	int64_t ns = json_integer_value(value);

	(void)field;
	if (!json_is_integer(value) || ns < 0) {
		print_flow(value, out);
		return;
	}
	if (ns == 0)
		str_append(out, "0s");
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (ns >= units[i].ns)
			str_printf(out, "%" PRId64 "%s", ns / units[i].ns, units[i].name);
		ns %= units[i].ns;
	}
}

static json_t *schema_of_duration(const struct field *field)
{
	(void)field;
	return json_schema_or_reference(
		json_pack("{s:[s,s],s:i,s:s}", "type", "string", "integer", "maximum", 0, "pattern",
			  "^(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|ms|s|m|h))+)$|\\$\\{"));
}

const struct value_type type_duration = {
	.name = "duration",
	.shape = SHAPE_SCALAR,
	.parse = parse_type_duration,
	.print = print_duration,
	.json_schema = schema_of_duration,
};

static json_t *parse_type_cpus(struct decode *decode, const struct field *field,
			       const struct node *node)
{
	const char *text = decode_scalar(decode, node, "a number of CPUs such as 0.5");
	struct decimal decimal;
	int64_t nano = 0;

	if (!text)
		return NULL;
	enum quantity_result result = read_decimal(&text, &decimal);
	if (result == QUANTITY_OK)
		result = *text ? QUANTITY_MALFORMED : scale_decimal(decimal, NANO, &nano);
	return quantity(decode, field, node, result, nano, "number of CPUs", "0.5 or 2");
}

void print_cpus(const struct field *field, const json_t *value, struct str *out)
{
	int64_t nano = json_integer_value(value);

	(void)field;
	if (!json_is_integer(value) || nano < 0) {
		print_flow(value, out);
		return;
	}
	str_printf(out, "%" PRId64, nano / NANO);
	int64_t rest = nano % NANO;
	if (!rest)
		return;
	int width = 9;
	for (; rest % 10 == 0; rest /= 10)
		width--;
	str_printf(out, ".%0*" PRId64, width, rest);
}

static json_t *schema_of_cpus(const struct field *field)
{
	(void)field;
	return json_schema_or_reference(json_pack("{s:[s,s],s:i,s:s}", "type", "number", "string",
						  "minimum", 0, "pattern",
						  "^([0-9]+(\\.[0-9]*)?|\\.[0-9]+)$|\\$\\{"));
}

const struct value_type type_cpus = {
	.name = "CPUs",
	.shape = SHAPE_SCALAR,
	.parse = parse_type_cpus,
	.print = print_cpus,
	.json_schema = schema_of_cpus,
};
