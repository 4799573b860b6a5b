// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/clear_out.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <thread>

#include "effects/file_holders.h"
#include "effects/grant_name.h"
#include "effects/owner_process.h"
#include "effects/runner_impl.h"

namespace p2pd {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds patience_with_clearing{500};  // when p2pd ends
constexpr milliseconds time_between_looks{100};
constexpr milliseconds time_to_end{2000};     // of a process after its SIGKILL
constexpr milliseconds time_of_kernel{1000};  // of the kernel, after the last copy

template <class Condition>
bool becomes_true(const Condition& condition, milliseconds within) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(time_between_looks);
  }
  return true;
}

// Not by its pid alone: whoever got the pid since, or runs with other rights by now, is not the one that it was lent to.
bool end_owner(const Clearing& clearing) {
  const auto pid = pid_of_user(clearing.owner.get(), clearing.uid);
  if (!pid) return false;
  spdlog::warn("pid {} of uid {} does not let its device go: SIGKILL", *pid, clearing.uid);
  if (!end_process(clearing.owner.get(), time_to_end)) spdlog::error("pid {} does not end", *pid);
  return true;
}

bool owner_is(const Clearing& clearing, const FileHolder& holder) {
  return clearing.owner && holder.is_certain && pid_of_user(clearing.owner.get(), clearing.uid) == holder.pid;
}

// A BAR that is mapped into memory keeps the device as a descriptor does.
bool owner_has_mapped(const Clearing& clearing, int device) {
  const auto pid = clearing.owner ? pid_of_user(clearing.owner.get(), clearing.uid) : std::nullopt;
  return pid && has_mapped(*pid, device);
}

}  // namespace

Outcome<Cleared> clear_out(Clearing clearing, const GroupProbe& probe) {
  Cleared result;
  const auto device = clearing.device.get();
  std::vector<FileHolder> holders;
  const auto look = [&] {
    const auto owner = clearing.owner ? pid_of_user(clearing.owner.get(), clearing.uid) : std::nullopt;
    holders = holders_of(device, owner.value_or(0));
    return holders.empty();
  };
  if (!becomes_true(look, clearing.patience) &&
      std::any_of(holders.begin(), holders.end(), [&](const auto& holder) { return owner_is(clearing, holder); })) {
    result.owner_was_killed = end_owner(clearing);
    static_cast<void>(look());
  }
  for (const auto& holder : holders) result.left.push_back(text_of(holder));
  const bool has_mapped_it = owner_has_mapped(clearing, device);
  clearing.device.reset();
  if (!result.left.empty()) return result;

  const auto is_free = [&] { return probe(clearing.group) != EBUSY; };
  if (becomes_true(is_free, time_of_kernel)) return result;
  if (!result.owner_was_killed && has_mapped_it) {
    result.owner_was_killed = end_owner(clearing);
    if (becomes_true(is_free, time_of_kernel)) return result;
  }
  result.left.emplace_back("a process that is not known: in its memory, or in a message on its way");
  return result;
}

void Runner::run(ClearOut effect) {
  auto lent = impl_->lent.extract(effect.holding);
  Clearing clearing{.device = std::move(lent.mapped().device),
                    .owner = std::move(lent.mapped().process),
                    .uid = effect.uid,
                    .group = impl_->parts.driver_paths.vfio_directory / std::to_string(effect.iommu_group),
                    .patience = effect.patience};
  auto& worker = impl_->clearing_worker(effect.holding);
  worker.run([clearing = std::move(clearing)]() mutable { return clear_out(std::move(clearing)); },
             [impl = impl_.get(), effect](Outcome<Cleared> cleared) {
               if (!cleared) cleared = Cleared{.left = {"processes that could not be looked at: " + cleared.error().text}};
               for (const auto& holder : cleared->left)
                 spdlog::warn("{} of {} is still open in {}", effect.initiator.to_string(), text_of(effect.holding), holder);
               impl->cleared.push_back(effect.holding);
               impl->parts.post(ClearedOut{effect.holding, cleared->owner_was_killed, std::move(cleared->left)});
             });
}

// A thread for each: one that hangs because a process hangs must not keep other devices. What is finished goes with the next.
Worker& Runner::Impl::clearing_worker(HoldingId holding) {
  for (const auto finished : cleared) clearers.erase(finished);
  cleared.clear();
  return clearers.try_emplace(holding, parts.loop, patience_with_clearing).first->second;
}

}  // namespace p2pd
