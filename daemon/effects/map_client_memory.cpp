// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/mman.h>

#include <cerrno>

#include "effects/grant_name.h"
#include "effects/runner_impl.h"

namespace p2pd {

namespace {

Outcome<DmaMemory> map_memfd(int memfd, Bytes offset, Bytes length, Access access) {
  const int protection = PROT_READ | (allows(access, Access::write) ? PROT_WRITE : 0);
  void* begin = ::mmap(nullptr, length.value, protection, MAP_SHARED, memfd, static_cast<off_t>(offset.value));
  if (begin == MAP_FAILED) return refuse_errno("mmap of the client's memory", errno);
  return CpuMapping(begin, length.value);
}

}  // namespace

Outcome<std::optional<Lease>> KernelObjects::map_client_memory(MapClientMemory effect) {
  return map(
      {.what = "map memory for " + text_of(effect.mapping),
       .mapping = effect.mapping,
       .holding = effect.holding,
       .iova = effect.iova,
       .access = effect.access,
       .lease = std::move(effect.lease)},
      [&](const OpenedFunction&) { return map_memfd(effect.memfd.get(), effect.offset, effect.iova.length, effect.access); });
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
