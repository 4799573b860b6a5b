// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names of ids, from libpci's list.
#pragma once

#include <span>

#include "model/function.h"

namespace p2pd {

// Sets vendor_name, device_name and class_name of each; "" for what no list knows. The list is loaded (2 MiB, some 10 ms),
// the names that are needed are copied, and it is freed. Without a list, or with a broken one, functions have fewer
// names, and that is no error. `list`: another file than the system's.
void name_functions(std::span<Function> functions, const char* list = nullptr);

}  // namespace p2pd
