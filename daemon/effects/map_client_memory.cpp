// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/mman.h>

#include <cerrno>

#include "effects/grant_name.h"
#include "effects/lease.h"
#include "effects/runner_impl.h"

namespace p2pd {

namespace {

Outcome<void> map_memfd(int memfd, Bytes offset, Bytes length, Access access, CpuMapping& result) {
  const int protection = PROT_READ | (allows(access, Access::write) ? PROT_WRITE : 0);
  void* begin = ::mmap(nullptr, length.value, protection, MAP_SHARED, memfd, static_cast<off_t>(offset.value));
  if (begin == MAP_FAILED) return refuse_errno("mmap of the client's memory", errno);
  result = CpuMapping(begin, length.value);
  return {};
}

}  // namespace

Outcome<std::optional<Lease>> KernelObjects::map_client_memory(MapClientMemory effect) {
  Transaction transaction("map memory for " + text_of(effect.mapping), fail_);
  CpuMapping memory;
  const auto run_all = [&]() -> Outcome<void> {
    if (effect.lease)
      if (auto done = run_check_lease(transaction, *effect.lease); !done) return done;
    const auto holding = find_holding(effect.holding);
    if (!holding) return tl::unexpected(holding.error());
    const auto map = [&] { return map_memfd(effect.memfd.get(), effect.offset, effect.iova.length, effect.access, memory); };
    if (auto done = transaction.run({"mmap", map, [&] { memory = {}; }}); !done) return done;
    return run_map(transaction, **holding, effect.mapping, effect.iova, effect.access, memory, effect.lease);
  };
  if (auto done = run_all(); !done) {
    if (effect.lease) end_lease(effect.lease->socket.get());
    return tl::unexpected(done.error());
  }
  return std::move(effect.lease);
}

void Runner::run(MapClientMemory effect) {
  const auto mapping = effect.mapping;
  const auto holding = effect.holding;
  impl_->worker.run(
      [impl = impl_.get(), effect = std::move(effect)]() mutable { return impl->kernel.map_client_memory(std::move(effect)); },
      [impl = impl_.get(), mapping, holding](Outcome<std::optional<Lease>> outcome) {
        impl->mapped(mapping, holding, std::move(outcome));
      });
}

}  // namespace p2pd
