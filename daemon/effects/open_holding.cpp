// SPDX-License-Identifier: LGPL-2.1-or-later
#include <spdlog/spdlog.h>

#include "effects/grant_name.h"
#include "effects/lease.h"
#include "effects/runner_impl.h"

namespace p2pd {

// Everything that DMA depends on is in the fd store before anything can be mapped: when this process dies, the next one
// finds the container and unmaps, and finds the lease and ends it.
Outcome<KernelObjects::Opened> KernelObjects::open_holding(OpenHolding effect, const std::string& grant_path) {
  const GrantId grant{effect.holding};
  const auto lease = effect.lease.socket.get();
  OpenedHolding holding;
  OpenedThrough opened;
  Transaction transaction("open " + text_of(grant) + " on " + effect.initiator.to_string(), fail_);

  const auto run_all = [&]() -> Outcome<void> {
    if (auto done = run_check_lease(transaction, effect.lease); !done) return done;
    if (auto done = run_open(transaction, effect.initiator, effect.iommu_group, effect.backend, opened); !done) return done;
    for (const auto& [fd, suffix] : opened.function->fds_to_keep())
      if (auto done = run_keep(transaction, holding.stored_names, stored_name(grant, suffix), fd, false); !done) return done;
    if (auto done = run_keep(transaction, holding.stored_names, stored_name(grant, lease_suffix), lease, true); !done)
      return done;
    // Last: what the client has cannot be taken back.
    return transaction.run({"send the device", [&] { return send_fds(lease, grant_path, {opened.function->device_fd()}); }, {}});
  };
  if (auto done = run_all(); !done) {
    end_lease(lease);
    return tl::unexpected(done.error());
  }
  transaction.keep();
  spdlog::info("opened {} on {} through {}", text_of(grant), effect.initiator.to_string(), opened.backend);
  holding.function = std::move(opened.function);
  auto valid_iovas = holding.function->valid_iovas();
  holdings_.emplace(effect.holding, std::move(holding));
  return Opened{std::move(valid_iovas), std::move(opened.backend), std::move(effect.lease)};
}

void Runner::run(OpenHolding effect) {
  const auto holding = effect.holding;
  Impl::Lent lent{.initiator = effect.initiator, .process = std::move(effect.process), .device = {}};
  const auto path = impl_->parts.path_of(holding);
  impl_->worker.run(
      [impl = impl_.get(), effect = std::move(effect), path]() mutable {
        return impl->kernel.open_holding(std::move(effect), path);
      },
      [impl = impl_.get(), holding, lent = std::move(lent)](Outcome<KernelObjects::Opened> opened) mutable {
        if (!opened) return impl->parts.post(HoldingOpened{holding, tl::unexpected(opened.error())});
        // Watched before, told after: that the client is gone comes as an event of its own, later.
        impl->watch(holding, holding, std::move(opened->lease));
        impl->removals.add(lent.initiator);
        impl->lent.insert_or_assign(holding, std::move(lent));
        impl->parts.post(HoldingOpened{holding, AddressSpace{std::move(opened->valid_iovas), std::move(opened->backend)}});
      });
}

}  // namespace p2pd
