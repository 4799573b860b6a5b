// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/take_back_store.h"

//
// What the last daemon left behind when it died: its containers still map, its clients still wait.
#include <spdlog/spdlog.h>

#include "effects/grant_name.h"
#include "effects/kernel_objects.h"
#include "effects/lease.h"

namespace p2pd {

namespace {

bool has_suffix(const FdStore::Entry& entry, char suffix) { return entry.name.ends_with(std::string{'.', suffix}); }

}  // namespace

void take_back_store(Vfio& vfio, FdStore& store) {
  const auto entries = store.take_back();
  if (entries.empty()) return;
  spdlog::info("the last daemon left {} file descriptors: unmapping and closing all of them", entries.size());

  // All of the DMA ends before the first client is told.
  for (const auto& entry : entries) {
    if (!has_suffix(entry, container_suffix)) continue;
    if (const auto done = vfio.unmap_all_in(entry.fd.get()); !done)
      spdlog::error("cannot unmap what the last daemon left in {}: {}", entry.name, done.error().text);
  }
  for (const auto& entry : entries)
    if (has_suffix(entry, lease_suffix)) end_lease(entry.fd.get());

  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) names.push_back(entry.name);
  store.remove(names);
}

}  // namespace p2pd
