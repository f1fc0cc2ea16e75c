/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clang's analyzer, which sees one file at a time, must know: these never return 0. */
#pragma once

#include "controller/base/error.h"

#define error_set(...) (error_set(__VA_ARGS__), -1)
#define error_errno(...) (error_errno(__VA_ARGS__), -1)
#define error_wrap(...) (error_wrap(__VA_ARGS__), -1)
#define error_hint(...) (error_hint(__VA_ARGS__), -1)
