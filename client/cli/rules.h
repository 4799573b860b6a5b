// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Values of the rules (daemon/model, daemon/verdict) as values of the library: the offline way to what p2pd shows.
#pragma once

#include "model/function.h"
#include "p2pclient/device.h"
#include "p2pclient/verdict.h"
#include "verdict/verdict.h"

namespace p2pclient::cli {

[[nodiscard]] Device to_device(const p2pd::Function& function);
[[nodiscard]] Verdict to_verdict(const p2pd::Verdict& verdict);
[[nodiscard]] Answer to_answer(p2pd::Tristate value);

}  // namespace p2pclient::cli
