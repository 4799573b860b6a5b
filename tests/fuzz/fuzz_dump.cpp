// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A dump from anywhere: reading it, placing its functions and judging them ends well, whatever is in it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "platform/tables.h"
#include "sources/capture.h"
#include "sources/config_space.h"
#include "sources/source.h"
#include "topology/topology.h"
#include "verdict/judge.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace p2pd;
  const auto machine = parse_dump({reinterpret_cast<const char*>(data), size});
  if (machine && !machine->functions().empty()) {
    const auto& first = machine->functions().front();
    const auto& last = machine->functions().back();
    const PlatformTables tables;
    // Nobody said what machine it is: nothing in the text may make it a yes.
    if (judge(*machine, tables, first.address, {last.address, 0, {}, {}}).possible == Answer::yes) std::abort();
    (void)targets_in(*machine, reach_set(*machine, first));
  }
  // The same bytes as a config space.
  const auto stripped = strip_config({data, size});
  if (stripped.size() != size) std::abort();
  (void)decode_config(ConfigBytes(stripped));
  return 0;
}
