// SPDX-License-Identifier: LGPL-2.1-or-later
//
// toml++, whose parser (3.3) asserts what text can break, `[=` for one; without the assertion it goes on to the error that
// it has for that text.
#pragma once

#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>
