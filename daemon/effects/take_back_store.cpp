// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the last daemon left behind when it died: its address spaces still map, its clients still wait.
#include "effects/take_back_store.h"

#include <spdlog/spdlog.h>

#include <set>

#include "effects/grant_name.h"
#include "effects/lease.h"

namespace p2pd {

namespace {

bool has_suffix(const FdStore::Entry& entry, char suffix) { return entry.name.ends_with(std::string{'.', suffix}); }

// "h7" of "h7.c"
std::string grant_of(const FdStore::Entry& entry) { return entry.name.substr(0, entry.name.find('.')); }

// Nothing to do for what is no address space.
Outcome<void> unmap_all_in(const BackEnds& back_ends, const FdStore::Entry& entry) {
  for (Vfio& each : back_ends)
    if (has_suffix(entry, each.address_space_suffix())) return each.unmap_all_in(entry.fd.get());
  return {};
}

}  // namespace

void take_back_store(const BackEnds& back_ends, FdStore& store) {
  auto entries = store.take_back();
  if (entries.empty()) return;
  spdlog::info("the last daemon left {} file descriptors: unmapping and closing all of them", entries.size());

  // All of the DMA ends before the first client is told.
  std::set<std::string> still_mapped;
  for (const auto& entry : entries) {
    const auto done = unmap_all_in(back_ends, entry);
    if (done) continue;
    spdlog::critical("cannot unmap what the last daemon left in {}: {}", entry.name, done.error().text);
    // Nothing is ever mapped into a target's address space, so nothing stays mapped there.
    if (is_holding_name(entry.name)) still_mapped.insert(grant_of(entry));
  }

  // What was exported ends with the last close of its function.
  std::vector<std::string> targets;
  for (auto& entry : entries)
    if (is_target_name(entry.name)) targets.push_back(entry.name);
  if (!targets.empty()) store.remove(targets);
  std::erase_if(entries, [](const FdStore::Entry& entry) { return is_target_name(entry.name); });

  // What still maps stays in the store, for a later life to try again. Until then its group is busy: nobody is lent a device
  // that works for somebody else.
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    if (still_mapped.contains(grant_of(entry))) continue;
    if (has_suffix(entry, lease_suffix)) end_lease(entry.fd.get());
    names.push_back(entry.name);
  }
  if (!names.empty()) store.remove(names);
}

}  // namespace p2pd
