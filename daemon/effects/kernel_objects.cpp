// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/kernel_objects.h"

#include "effects/grant_name.h"
#include "effects/lease.h"

namespace p2pd {

KernelObjects::KernelObjects(BackEnds back_ends, FdStore& store, FaultInjector fail)
    : back_ends_(std::move(back_ends)), store_(store), fail_(std::move(fail)) {}

Outcome<void> KernelObjects::run_open(Transaction& transaction, const Address& address, std::uint32_t iommu_group,
                                      const std::string& backend, OpenedThrough& opened) {
  const auto open = [&]() -> Outcome<void> {
    auto outcome = open_through(back_ends_, backend, address, iommu_group);
    if (!outcome) return error_of(outcome);
    opened = std::move(*outcome);
    return {};
  };
  return transaction.run({"open", open, [&] { opened.function.reset(); }});
}

Outcome<void> KernelObjects::run_keep(Transaction& transaction, std::vector<std::string>& names, const std::string& name, int fd,
                                      bool is_lease) {
  auto kept =
      transaction.run({"keep " + name, [&] { return store_.keep(name, fd, is_lease); }, [this, name] { store_.remove({name}); }});
  if (kept) names.push_back(name);
  return kept;
}

Outcome<void> KernelObjects::run_check_lease(Transaction& transaction, const Lease& lease) {
  return transaction.run({"check lease", [&] { return refuse_hidden_fds(lease.socket.get()); }, {}});
}

Outcome<KernelObjects::OpenedHolding*> KernelObjects::find_holding(HoldingId holding) {
  const auto found = holdings_.find(holding);
  if (found == holdings_.end()) return refuse(ErrorCode::gone, text_of(holding) + " is not open");
  return &found->second;
}

}  // namespace p2pd
