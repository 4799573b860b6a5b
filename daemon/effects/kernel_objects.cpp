// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/kernel_objects.h"

#include "effects/grant_name.h"
#include "effects/lease.h"

namespace p2pd {

KernelObjects::KernelObjects(Vfio& vfio, FdStore& store, FaultInjector fail)
    : vfio_(vfio), store_(store), fail_(std::move(fail)) {}

Outcome<void> KernelObjects::run_open(Transaction& transaction, const Address& address, std::uint32_t iommu_group,
                                      std::unique_ptr<OpenedFunction>& function) {
  const auto open = [&]() -> Outcome<void> {
    auto opened = vfio_.open(address, iommu_group);
    if (!opened) return tl::unexpected(opened.error());
    function = std::move(*opened);
    return {};
  };
  return transaction.run({"open", open, [&] { function.reset(); }});
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
