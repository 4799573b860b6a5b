// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the arbiter wants done. Effects that touch the kernel run on the worker, one after the other, in the order given
// (changes of drivers on a worker of their own), and come back as events; the rest runs at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "arbiter/command.h"
#include "arbiter/ids.h"
#include "model/access.h"
#include "model/reason.h"
#include "model/target_name.h"
#include "model/unique_fd.h"

namespace p2pd {

// ---- for the kernel, on the worker

// Opens the function through VFIO and keeps it open; answered by TargetOpened, and from then on by DeviceWanted.
struct OpenTarget {
  Address device;
  std::uint32_t iommu_group = 0;
};
// Answered by TargetClosed.
struct CloseTarget {
  Address device;
};

// Resets it through VFIO: the open target, or a function that nobody has open. Answered by FunctionReset.
struct ResetFunction {
  Address device;
  std::uint32_t iommu_group = 0;
};

// Opens the device in an address space of its own, puts its fds and the lease into the fd store, sends the device fd over the
// lease; the lease is watched from here on. Answered by HoldingOpened; on failure nothing stays open, the lease neither.
struct OpenHolding {
  HoldingId holding;
  Address initiator;
  std::uint32_t iommu_group = 0;
  Lease lease;
  std::string backend;  // "" = the preferred one of those that can
  UniqueFd process;     // the owner's pidfd; empty = not known for certain
};
// Unmaps everything, takes its fds out of the store, closes them, ends the lease. Answered by HoldingClosed. It does not
// fail: when the kernel does not unmap, the daemon gives up, and its next life tries again.
struct CloseHolding {
  HoldingId holding;
  bool keeps_device = false;  // a copy of the device's descriptor, by which ClearOut knows those of others
};
// The function of a holding that is closed must go: waits until nobody else has its device open, and ends the process that it
// was lent to if that still has it then. Answered by ClearedOut.
struct ClearOut {
  HoldingId holding;
  Address initiator;
  std::uint32_t iommu_group = 0;
  uid_t uid = 0;                          // of the owner
  std::chrono::milliseconds patience{0};  // that the owner has left
};

// Both answered by Mapped; on failure the lease (if any) is ended and nothing is mapped.
struct MapClientMemory {
  MappingId mapping;
  HoldingId holding;
  ForeignFd memfd;
  Bytes offset;
  Range<Iova> iova;
  Access access = Access::read_write;
  std::optional<Lease> lease;
};
struct MapPeer {
  MappingId mapping;
  HoldingId holding;
  Address target;
  unsigned bar = 0;
  Bytes offset;
  Range<Iova> iova;
  Access access = Access::read_write;
  std::optional<Lease> lease;
};
// Answered by Mapped; sends the dma-buf over the lease, which is watched from here on. On failure the lease is ended.
struct ExportBar {
  MappingId mapping;
  Address target;
  unsigned bar = 0;
  Bytes offset;
  Bytes length;
  Lease lease;
};
// Closes the function, which takes the dma-buf's memory away for good, and ends the lease. Answered by Unmapped, then by
// TargetClosed.
struct EndExport {
  MappingId mapping;
  Address device;
};
// Writes zeros over all memory of the pool that nobody has, notes for later lives of p2pd who is lent it, and sends its
// descriptor over the lease, which is watched from here on. Answered by Mapped; on failure the lease is ended.
struct LendPeerMemory {
  MappingId mapping;
  Address device;
  std::uint64_t pool = 0;  // Gone when it is another one by now
  Bytes length;            // that must be free in one piece
  uid_t uid = static_cast<uid_t>(-1);
  Lease lease;
};
// Ends the lease, no more: the kernel takes neither descriptor nor memory back. Answered by Unmapped.
struct EndPeerMemory {
  MappingId mapping;
};
// Answered by Unmapped; ends the mapping's own lease if it has one. On failure it is mapped still.
struct Unmap {
  MappingId mapping;
  HoldingId holding;
  Range<Iova> iova;
};

// All of them or none. Answered by DriverChanged: late or never when a driver hangs.
struct BindToVfio {
  RequestId request;
  std::vector<Address> devices;
  bool force = false;
};
struct UnbindFromVfio {
  RequestId request;
  std::vector<Address> devices;
  bool force = false;
};

// ---- at once

struct HoldingGranted {
  HoldingId holding;
  std::string backend;
};
struct MemoryMapped {
  MappingId mapping;
  Iova iova;
};
struct PeerMapped {
  MappingId mapping;
  Iova cookie;
  Bytes length;
};
struct Exported {  // a mapping without a cookie
  MappingId mapping;
};
using ReplyValue = std::variant<std::monostate, HoldingGranted, MemoryMapped, PeerMapped, Exported>;

// The one answer to a request.
struct Reply {
  RequestId request;
  Outcome<ReplyValue> outcome;
};

// Why a grant goes; on the bus and over the lease these exact words (design §7).
enum class RevokeReason : std::uint8_t { operator_, disabled, device_gone, device_reset, device_wanted, expired, stopping };
[[nodiscard]] std::string to_string(RevokeReason reason);

// A notice over the lease and a signal on the object. Best effort: a full queue drops it.
struct Tell {
  GrantId grant;
  GrantId lease;  // whose lease carries the notice: a mapping without one of its own is told over its holding's
  enum class What : std::uint8_t { revoking, revoked } what = What::revoking;
  RevokeReason reason = RevokeReason::operator_;
  std::chrono::milliseconds grace{0};
};

// Answered by DeadlinePassed, unless the grant is gone by then.
struct StartDeadline {
  GrantId grant;
  std::chrono::milliseconds after{0};
};

// What the bus announces: objects that came or went, devices whose targets or offers changed.
struct Announce {
  enum class What : std::uint8_t { added, removed, changed };
  std::variant<HoldingId, MappingId, Address> object;
  What what = What::changed;
};

// One structured journal line for every grant, refusal and revocation.
struct Journal {
  enum class What : std::uint8_t { granted, refused, ended, revoked, enabled, disabled, offered, withdrawn, reset, killed };
  What what = What::granted;
  std::string subject;  // holding/7, mapping/9, a target, a device
  std::string initiator;
  std::string target;
  uid_t uid = 0;
  pid_t pid = 0;
  std::string unit;
  std::string text;
};

// Everything was given back after StopRequested: leave the loop.
struct Leave {};

using Effect = std::variant<OpenTarget, CloseTarget, ResetFunction, OpenHolding, CloseHolding, ClearOut, MapClientMemory, MapPeer,
                            ExportBar, EndExport, LendPeerMemory, EndPeerMemory, Unmap, BindToVfio, UnbindFromVfio, Reply, Tell,
                            StartDeadline, Announce, Journal, Leave>;

}  // namespace p2pd
