// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A table of peers: it is refused, or says the same when it is written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "platform/peers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace p2pd;
  const auto table = parse_peers({reinterpret_cast<const char*>(data), size}, "peers.toml");
  if (!table) return 0;
  const auto again = parse_peers(write_peers(*table), "peers.toml");
  if (!again || *again != *table) std::abort();
  return 0;
}
