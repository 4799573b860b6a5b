// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "effects/give_up.h"
#include "effects/grant_name.h"
#include "effects/lease.h"
#include "effects/runner_impl.h"

namespace p2pd {

// The dma-buf itself is not kept: it lives as long as anybody has it, and ends with the function.
Outcome<void> KernelObjects::run_export(const ExportBar& effect, const std::string& grant_path) {
  const auto lease = effect.lease.socket.get();
  UniqueFd dma_buf;
  Transaction transaction("export " + effect.target.to_string() + " as " + text_of(effect.mapping), fail_);
  if (auto done = run_check_lease(transaction, effect.lease); !done) return done;
  const auto export_it = [&]() -> Outcome<void> {
    const auto target = targets_.find(effect.target);
    if (target == targets_.end()) return refuse(ErrorCode::gone, effect.target.to_string() + " is not open as a target");
    auto exported = target->second.function->export_bar(effect.bar, effect.offset, effect.length);
    if (!exported) return error_of(exported);
    dma_buf = std::move(*exported);
    return {};
  };
  if (auto done = transaction.run({"export", export_it, [&] { dma_buf.reset(); }}); !done) return done;
  std::vector<std::string> name;
  if (auto done = run_keep(transaction, name, stored_name(effect.mapping, lease_suffix), lease, true); !done) return done;
  // Last: what the client has, only the end of the function takes back.
  const auto send = [&] { return send_fds(lease, grant_path, {dma_buf.get()}); };
  if (auto done = transaction.run({"send the dma-buf", send, {}}); !done) return done;
  transaction.keep();
  return {};
}

Outcome<std::optional<Lease>> KernelObjects::export_bar(ExportBar effect, const std::string& grant_path) {
  if (auto done = run_export(effect, grant_path); !done) {
    end_lease(effect.lease.socket.get());
    return error_of(done);
  }
  return std::move(effect.lease);
}

void Runner::run(ExportBar effect) {
  const auto mapping = effect.mapping;
  const auto path = impl_->parts.path_of(mapping);
  impl_->worker.run([impl = impl_.get(), effect = std::move(effect),
                     path]() mutable { return impl->kernel.export_bar(std::move(effect), path); },
                    [impl = impl_.get(), mapping](Outcome<std::optional<Lease>> outcome) {
                      impl->mapped(mapping, std::nullopt, std::move(outcome));
                    });
}

// The last close of a function takes the memory out of all its dma-bufs for good: vfio_pci_dma_buf_cleanup(). Should the
// manager be late with its copies, ours is not the last: so first the memory goes for now.
Outcome<void> KernelObjects::end_export(const EndExport& effect) {
  if (const auto target = targets_.find(effect.device); target != targets_.end())
    if (const auto done = target->second.function->suspend_exports(); !done)
      spdlog::warn("{}: memory decode stays on: {}", effect.device.to_string(), done.error().text);
  store_.remove({stored_name(effect.mapping, lease_suffix)});
  return close_target({effect.device});
}

void Runner::run(EndExport effect) {
  impl_->be_quiet(effect.mapping);
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.end_export(effect); },
                    [impl = impl_.get(), effect](const Outcome<void>& outcome) {
                      // Nobody may be told that it ended while importers still reach it.
                      if (!outcome) give_up(fmt::format("cannot end {}: {}", text_of(effect.mapping), outcome.error().text));
                      impl->wanted_targets.erase(effect.device);
                      impl->forget(effect.mapping);
                      impl->parts.post(Unmapped{effect.mapping, {}});
                      impl->parts.post(TargetClosed{effect.device});
                    });
}

}  // namespace p2pd
