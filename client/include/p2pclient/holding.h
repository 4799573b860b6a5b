// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An initiator that p2pd lent to this client, and what was mapped on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "p2pclient/buffer.h"
#include "p2pclient/lease.h"
#include "p2pclient/units.h"
#include "p2pclient/vfio_device.h"

namespace p2pclient {

class Connection;

struct MapMemoryOptions {
  std::uint64_t offset = 0;  // into the buffer, bytes, page aligned
  std::uint64_t length = 0;  // bytes, whole pages; 0 = to the end of the buffer
  Access access = Access::read_write;
  bool own_lease = false;  // the mapping gets a lease of its own and can end before the holding
};

struct MapOptions {
  std::optional<Access> access;  // nothing = what the operator enabled
  std::optional<Iova> cookie;    // a fixed address; nothing = p2pd chooses
  std::string backend;           // "" = the holding's; another one is NotSupported (AcquireOptions chooses)
  bool own_lease = false;        // as above
};

// A mapping on a holding: a target, or the client's own memory. It ends with the holding; or before, by release(), or
// by its own lease when it was asked for one (then also when this object goes). Move only.
class Mapping {
 public:
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }  // object path on the bus
  // The address by which the initiator reaches the first byte.
  [[nodiscard]] Iova cookie() const noexcept { return cookie_; }
  [[nodiscard]] std::uint64_t length() const noexcept { return length_; }  // bytes
  // Empty unless asked for.
  [[nodiscard]] Lease& lease() noexcept { return lease_; }

  // Unmaps and waits for it: when it returns, the initiator reaches the range no more. Throws Error.
  void release();

 private:
  friend class Holding;
  Mapping(std::shared_ptr<Connection> connection, std::string path, Iova cookie, std::uint64_t length, Lease lease) noexcept;

  std::shared_ptr<Connection> connection_;
  std::string path_;
  Iova cookie_;
  std::uint64_t length_ = 0;
  Lease lease_;
};

// Move only. When it goes, its lease ends: p2pd unmaps everything on it soon after (release() waits for it). Outlives the
// Client that made it. Use it from one thread at a time, together with its Client.
class Holding {
 public:
  Holding(Holding&&) noexcept;
  Holding& operator=(Holding&&) noexcept;
  ~Holding();

  [[nodiscard]] const std::string& path() const noexcept;       // object path on the bus
  [[nodiscard]] const std::string& initiator() const noexcept;  // address of the function
  [[nodiscard]] const std::string& backend() const noexcept;    // iommufd, vfio-type1

  // The function's VFIO device fd; stays the holding's.
  [[nodiscard]] int device_fd() const noexcept;
  // Registers of the function, through a descriptor of its own that may outlive the holding. The kernel cannot take a
  // device fd back: what ends with the lease is what the function can reach. Throws std::system_error.
  [[nodiscard]] VfioDevice device() const;

  // The lease: notices come over it, children may inherit it.
  [[nodiscard]] Lease& lease() noexcept;

  // Lets the initiator reach `buffer`; the IOVA is in cookie(). The pages stay pinned until the mapping ends, whether or
  // not the buffer still exists. Throws Error: InvalidArgument, QuotaExceeded, NotPermitted, Gone, Failed.
  [[nodiscard]] Mapping map_memory(const Buffer& buffer, const MapMemoryOptions& options = {});
  // Lets the initiator reach `target`, written ADDRESS:BAR[:OFFSET+LENGTH]. Throws Error: NotEnabled, Blocked (the text
  // ends in the codes of all blockers), Busy, NotPermitted, NotFound, InvalidArgument, QuotaExceeded, Gone, Failed.
  [[nodiscard]] Mapping map(const std::string& target, const MapOptions& options = {});

  // Gives the initiator back and waits: when it returns, everything on it is unmapped. Throws Error.
  void release();

 private:
  friend class Client;
  struct Impl;
  explicit Holding(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace p2pclient
