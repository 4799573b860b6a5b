// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the commands that only look get their values from: p2pd, or the dump of a machine. Both give the same values, so
// there is one rendering of each.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/dump_options.h"
#include "p2pclient/client.h"
#include "p2pclient/device.h"
#include "p2pclient/verdict.h"

namespace p2pclient::cli {

class Source {
 public:
  virtual ~Source() = default;

  [[nodiscard]] virtual std::vector<Device> devices() = 0;
  // Throws Error NotFound.
  [[nodiscard]] virtual Device device(const std::string& address) = 0;
  [[nodiscard]] virtual Verdict check(const std::string& initiator, const std::string& target,
                                      std::optional<unsigned> address_bits) = 0;
  [[nodiscard]] virtual ReachSet reach_set(const std::string& initiator) = 0;
  // Empty lists: every function that is no bridge, every assigned memory BAR of those.
  [[nodiscard]] virtual Matrix check_all(const std::vector<std::string>& initiators, const std::vector<std::string>& targets) = 0;
  // What keeps mappings from being made on this machine, with what to do next.
  [[nodiscard]] virtual std::vector<std::string> problems() = 0;
  // What verdicts lack because the source cannot tell it, in one sentence; "" = nothing.
  [[nodiscard]] virtual std::string unknowns() = 0;
};

[[nodiscard]] std::unique_ptr<Source> open_daemon(Client client);
// The output of `lspci -xxxx`; no daemon and no root needed. Throws Error when it cannot be read.
[[nodiscard]] std::unique_ptr<Source> open_dump(const DumpOptions& options);

}  // namespace p2pclient::cli
