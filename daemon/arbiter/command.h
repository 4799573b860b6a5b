// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What clients ask for, as values. The bus room has checked types, sockets and authority; whether the request fits the
// state of the world is for the arbiter, which looks everything up anew.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "arbiter/ids.h"
#include "model/access.h"
#include "model/foreign_fd.h"
#include "model/target_name.h"
#include "model/unique_fd.h"

namespace p2pd {

// The polkit actions org.p2pd1.*; docs/security.md says who has which by default.
enum class Action : std::uint8_t {
  enable_target,
  offer_initiator,
  bind_driver,
  revoke,
  switch_route,
  own_address_space,
  export_dma_buf,
  allocate_peer_memory,
  acquire,
  map,
};

// Who asks: captured once when the message arrives.
struct Caller {
  std::string sender;                   // unique bus name
  uid_t euid = static_cast<uid_t>(-1);  // from the bus; decisive. Unknown is nobody, never root
  pid_t pid = 0;                        // for the log only
  std::string unit;                     // systemd unit, for the log only
  bool may_interact = false;
  std::set<gid_t> groups;    // as the bus knows them (GetConnectionCredentials), for offers limited to a group
  std::set<Action> granted;  // actions that polkit (or being root) granted for this request
};

// A lease whose socket was checked (AF_UNIX, SOCK_SEQPACKET, reading shut down, nothing queued in it).
struct Lease {
  ForeignFd socket;
};

struct Enable {
  TargetName target;
  bool exclusive = true;
  std::optional<Access> access;  // nothing = what each mapping asks for
  bool force = false;            // allow pages with the MSI-X table or PBA
};

struct Disable {
  TargetName target;
  bool force = false;  // revoke mappings that use it
  std::chrono::milliseconds grace{0};
};

struct Offer {
  Address initiator;
  std::string group;  // "" = whoever polkit lets; else only members of this group, and root
  gid_t gid = 0;      // of `group`, looked up when the offer was made
  bool trusted_firmware = false;
};

struct Withdraw {
  Address initiator;
  bool force = false;  // revoke its holding
  std::chrono::milliseconds grace{0};
};

struct BindDriver {
  Address device;
  bool force = false;
  bool group = false;  // every function of its IOMMU group but bridges
};

struct UnbindDriver {
  Address device;
  bool force = false;
  bool group = false;
};

struct Reset {
  Address device;
  bool force = false;  // revoke what uses it
  std::chrono::milliseconds grace{0};
};

struct Acquire {
  Address initiator;
  Lease lease;
  unsigned address_bits = 0;  // 0 = as platform.d knows, else 64
  std::string backend;        // "" = the daemon chooses
  UniqueFd process;           // the caller's pidfd; empty = not known for certain
};

struct MapMemory {
  HoldingId holding;
  ForeignFd memfd;
  Bytes offset;
  Bytes length;
  Access access = Access::read_write;
  std::optional<Lease> lease;  // nothing = ends with its holding
};

struct MapTarget {
  HoldingId holding;
  TargetName target;
  std::optional<Access> access;  // nothing = the least that the target's terms need: what was enabled, else rw
  std::optional<Iova> cookie;    // a fixed address that the client wants
  std::string backend;           // "" = the holding's; no other can be meant
  std::optional<Lease> lease;
};

struct ExportDmaBuf {
  TargetName target;
  Lease lease;
};

struct AllocatePeerMemory {
  TargetName target;
  Bytes length;
  Lease lease;
};

struct Release {
  GrantId grant;
};

struct Revoke {
  GrantId grant;
  std::string why;
  std::chrono::milliseconds grace{0};
};

using Command = std::variant<Enable, Disable, Offer, Withdraw, BindDriver, UnbindDriver, Reset, Acquire, MapMemory, MapTarget,
                             ExportDmaBuf, AllocatePeerMemory, Release, Revoke>;

struct Request {
  RequestId id;
  Caller caller;
  Command command;
};

}  // namespace p2pd
