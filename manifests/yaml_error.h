/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libyaml complains about, said so that a person can mend it. */
#pragma once

#include "manifests/diagnostics.h"

#include <yaml.h>

/* Records the parser's error, with the place and the text found there. */
void yaml_diagnose_parser(struct diagnostics *diagnostics, const char *file,
			  const yaml_parser_t *parser, const char *text, size_t len);

/* Text is UTF-8 without NUL; else records where it is not and returns false. */
bool yaml_check_encoding(struct diagnostics *diagnostics, const char *file, const char *text,
			 size_t len);
