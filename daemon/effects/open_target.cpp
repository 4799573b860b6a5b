// SPDX-License-Identifier: LGPL-2.1-or-later
#include <spdlog/spdlog.h>

#include "effects/grant_name.h"
#include "effects/runner_impl.h"

namespace p2pd {

// Its fds are kept as well: a target that closed with its daemon would be reset under the feet of those who still map it.
Outcome<UniqueFd> KernelObjects::open_target(const OpenTarget& effect) {
  const auto text = effect.device.to_string();
  if (targets_.contains(effect.device)) return refuse(ErrorCode::failed, text + " is open already");
  OpenedTarget target;
  OpenedThrough opened;
  UniqueFd wanted;
  Transaction transaction("open target " + text, fail_);
  if (auto done = run_open(transaction, effect.device, effect.iommu_group, "", opened); !done) return error_of(done);
  const auto ask_to_be_told = [&]() -> Outcome<void> {
    auto eventfd = opened.function->tell_when_wanted();
    if (!eventfd && eventfd.error().code != ErrorCode::not_supported) return error_of(eventfd);
    if (eventfd)
      wanted = std::move(*eventfd);
    else
      spdlog::warn("{}: {}; whoever unbinds it has to wait until it is disabled", text, eventfd.error().text);
    return {};
  };
  // Nothing to undo: it goes with the device's fd.
  if (auto done = transaction.run({"ask to be told when it is wanted", ask_to_be_told, {}}); !done) return error_of(done);
  const auto number = next_target_++;
  for (const auto& [fd, suffix] : opened.function->fds_to_keep())
    if (auto done = run_keep(transaction, target.stored_names, stored_target_name(number, suffix), fd, false); !done)
      return error_of(done);
  transaction.keep();
  spdlog::info("opened {} as a target through {}", text, opened.backend);
  target.function = std::move(opened.function);
  targets_.emplace(effect.device, std::move(target));
  return wanted;
}

void Runner::Impl::watch(const Address& target, UniqueFd wanted) {
  wanted_targets.try_emplace(target, parts.loop, std::move(wanted), [this, target] {
    spdlog::info("the kernel wants {} back", target.to_string());
    parts.post(DeviceWanted{target});
  });
}

void Runner::run(OpenTarget effect) {
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.open_target(effect); },
                    [impl = impl_.get(), device = effect.device](Outcome<UniqueFd> wanted) {
                      if (!wanted) return impl->parts.post(TargetOpened{device, error_of(wanted)});
                      if (*wanted) impl->watch(device, std::move(*wanted));
                      impl->parts.post(TargetOpened{device, {}});
                    });
}

}  // namespace p2pd
