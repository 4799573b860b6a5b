// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/source.h"

namespace p2pclient::cli {

namespace {

class DaemonSource final : public Source {
 public:
  explicit DaemonSource(Client client) : client_(std::move(client)) {}

  std::vector<Device> devices() override { return client_.devices(); }
  Device device(const std::string& address) override { return client_.device(address); }
  Verdict check(const std::string& initiator, const std::string& target, std::optional<unsigned> address_bits) override {
    return client_.check(initiator, target, {address_bits});
  }
  ReachSet reach_set(const std::string& initiator) override { return client_.reach_set(initiator); }
  Matrix check_all(const std::vector<std::string>& initiators, const std::vector<std::string>& targets) override {
    return client_.check_all(initiators, targets);
  }
  std::vector<std::string> problems() override { return client_.info().problems; }
  // The verdicts themselves say what p2pd could not read.
  std::string unknowns() override { return {}; }

 private:
  Client client_;
};

}  // namespace

std::unique_ptr<Source> open_daemon(Client client) { return std::make_unique<DaemonSource>(std::move(client)); }

}  // namespace p2pclient::cli
