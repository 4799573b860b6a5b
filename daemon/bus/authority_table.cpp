// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/authority_table.h"

#include <algorithm>
#include <array>

#include "bus/paths.h"

namespace p2pd {

namespace {

constexpr auto rows = std::to_array<Row>({
    {manager_interface, "GetDeviceByAddress", Right::everybody, {}},
    {manager_interface, "Check", Right::everybody, {}},
    {manager_interface, "GetReachSet", Right::everybody, {}},
    {manager_interface, "CheckAll", Right::everybody, {}},
    {manager_interface, "GetStatistics", Right::everybody, {}},
    {manager_interface, "Acquire", Right::polkit, Action::acquire},
    {manager_interface, "MapMemory", Right::polkit, Action::map},
    {manager_interface, "Map", Right::polkit, Action::map},
    {manager_interface, "ExportDmaBuf", Right::polkit, Action::export_dma_buf},
    {manager_interface, "AllocatePeerMemory", Right::polkit, Action::allocate_peer_memory},
    {manager_interface, "Reload", Right::root, {}},
    {device_interface, "Enable", Right::polkit, Action::enable_target},
    {device_interface, "Disable", Right::polkit, Action::enable_target},
    {device_interface, "Offer", Right::polkit, Action::offer_initiator},
    {device_interface, "Withdraw", Right::polkit, Action::offer_initiator},
    {device_interface, "Bind", Right::polkit, Action::bind_driver},
    {device_interface, "Unbind", Right::polkit, Action::bind_driver},
    {device_interface, "Reset", Right::polkit, Action::revoke},
    {holding_interface, "Release", Right::owner, {}},
    {holding_interface, "Revoke", Right::polkit, Action::revoke},
    {mapping_interface, "Release", Right::owner, {}},
    {mapping_interface, "Revoke", Right::polkit, Action::revoke},
});

}  // namespace

std::span<const Row> authority_table() { return rows; }

const Row* find_row(std::string_view interface, std::string_view method) {
  const auto* const found =
      std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.interface == interface && row.method == method; });
  return found == rows.end() ? nullptr : found;
}

const char* name_of(Action action) {
  switch (action) {
    case Action::enable_target: return "org.p2pd1.enable-target";
    case Action::offer_initiator: return "org.p2pd1.offer-initiator";
    case Action::bind_driver: return "org.p2pd1.bind-driver";
    case Action::revoke: return "org.p2pd1.revoke";
    case Action::switch_route: return "org.p2pd1.switch-route";
    case Action::own_address_space: return "org.p2pd1.own-address-space";
    case Action::export_dma_buf: return "org.p2pd1.export-dma-buf";
    case Action::allocate_peer_memory: return "org.p2pd1.allocate-peer-memory";
    case Action::acquire: return "org.p2pd1.acquire";
    case Action::map: return "org.p2pd1.map";
  }
  return "org.p2pd1.unknown";
}

const char* grant_hint(Action action) {
  if (action == Action::acquire || action == Action::map)
    return "become a member of group p2p (`usermod -aG p2p USER`, then log in again), or ask for a polkit rule";
  return "do it as root, authenticate as an administrator, or ask for a polkit rule";
}

}  // namespace p2pd
