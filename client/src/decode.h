// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What comes over the bus, as the library's values. A property that is missing or of another type is as if not known: a
// newer p2pd must not break an older client.
#pragma once

#include <string>

#include "connection.h"
#include "p2pclient/client.h"

namespace p2pclient {

[[nodiscard]] Device decode_device(const Properties& properties);
[[nodiscard]] HoldingInfo decode_holding(const std::string& path, const Properties& properties);
[[nodiscard]] MappingInfo decode_mapping(const std::string& path, const Properties& properties);
[[nodiscard]] Verdict decode_verdict(const Properties& verdict);
[[nodiscard]] DaemonInfo decode_info(const Properties& manager);
[[nodiscard]] Answer decode_answer(const std::string& word);
// "POSSIBLE/ANSWER/ROUTE" or "same".
[[nodiscard]] PairSummary decode_pair(const std::string& word);

}  // namespace p2pclient
