// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A connection to p2pd: what is in the machine, what may reach what, and the way to a mapping.
//
//   auto client = p2pclient::Client::connect();
//   auto holding = client.acquire("0000:03:00.0", {.address_bits = 28});
//   auto mapping = holding.map("0000:04:00.0:2");
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "p2pclient/device.h"
#include "p2pclient/dma_buf.h"
#include "p2pclient/error.h"
#include "p2pclient/holding.h"
#include "p2pclient/peer_memory.h"
#include "p2pclient/verdict.h"

namespace p2pclient {

struct ConnectOptions {
  std::string bus = "system";  // "system", "session" or a D-Bus address
  // p2pd may have the user asked for a password (an agent of polkit must be there to do it).
  bool may_interact = false;
  // How long a call may take, the user's typing included.
  std::chrono::milliseconds timeout = std::chrono::minutes{2};
};

// What p2pd says about itself and the machine.
struct DaemonInfo {
  std::string version;
  unsigned api_version = 0;
  std::vector<std::string> features;
  std::vector<std::string> backends;  // empty: no mapping can be made on this machine
  std::string virtualization;         // none, unknown, or systemd's name of the hypervisor
  std::string kernel_rule;            // whose p2pdma rule is applied
  std::vector<std::string> problems;  // what keeps p2pd from its job here, one sentence each with what to do next
  std::uint64_t generation = 0;       // grows with every change of the picture
};

struct CheckOptions {
  std::optional<unsigned> address_bits;  // how far the initiator's DMA engine reaches, 1..64; nothing = p2pd's knowledge
};

// How a target is enabled.
struct EnableOptions {
  bool exclusive = true;         // one mapping at a time; else several clients share the contents
  std::optional<Access> access;  // nothing = what each mapping asks for
  bool force = false;            // pages with the MSI-X table too
};

struct OfferOptions {
  std::string group;              // only members of this group (and root); "" = whoever polkit lets
  bool trusted_firmware = false;  // lend it although its firmware could forge translated requests (ATS)
};

// Disable, withdraw, reset.
struct TakeBackOptions {
  bool force = false;                  // take it from those who use it
  std::chrono::milliseconds grace{0};  // how long they get to quiesce
};

struct AcquireOptions {
  std::optional<unsigned> address_bits;  // as CheckOptions
  std::string backend;                   // one of DaemonInfo::backends; "" = p2pd chooses
};

struct HoldingInfo {
  std::string path;
  std::string initiator;
  std::string backend;
  std::string state;  // opening, active, revoking, ending
  unsigned address_bits = 64;
  // Owner and root see who; others do not.
  std::optional<std::uint32_t> owner_uid;
  std::optional<std::uint32_t> owner_pid;

  bool operator==(const HoldingInfo&) const = default;
};

struct MappingInfo {
  std::string path;
  std::string holding;  // path of its holding; "" = a dma-buf or peer memory: no holding, and no cookie of its own
  std::string kind;     // memory (the client's own), peer (a target), dma-buf, peer-memory (of a kernel driver)
  std::string target;   // "" = the client's own memory
  Iova cookie;
  std::uint64_t length = 0;  // bytes
  std::string access;        // r, w, rw
  std::string route;
  std::string state;  // opening, active, revoking, ending
  bool has_own_lease = false;

  bool operator==(const MappingInfo&) const = default;
};

// Use from one thread at a time. Every function but the constructors throws Error: what p2pd answered, by name, or
// unreachable (Error::is_unreachable). Names that p2pd gives: error_name.
class Client {
 public:
  // Throws Error when there is no such bus, or nobody on it answers for p2pd (it is started by the bus if installed).
  [[nodiscard]] static Client connect(const ConnectOptions& options = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // ---- look: free for everybody
  [[nodiscard]] DaemonInfo info() const;
  [[nodiscard]] std::vector<Device> devices() const;  // by address
  [[nodiscard]] Device device(const std::string& address) const;
  [[nodiscard]] std::vector<HoldingInfo> holdings() const;
  [[nodiscard]] std::vector<MappingInfo> mappings() const;
  [[nodiscard]] Verdict check(const std::string& initiator, const std::string& target, const CheckOptions& options = {}) const;
  [[nodiscard]] ReachSet reach_set(const std::string& initiator) const;
  // Empty lists: every function that is no bridge; every assigned memory BAR of those. Many pairs are asked for
  // in parts, and take as long as p2pd has time for one connection.
  [[nodiscard]] Matrix check_all(const std::vector<std::string>& initiators, const std::vector<std::string>& targets) const;

  // ---- operate. `target` is ADDRESS:BAR[:OFFSET+LENGTH]. enable, disable, offer and withdraw are idempotent.
  void enable(const std::string& target, const EnableOptions& options = {});  // org.p2pd1.enable-target
  void disable(const std::string& target, const TakeBackOptions& options = {});
  void offer(const std::string& initiator, const OfferOptions& options = {});  // org.p2pd1.offer-initiator
  void withdraw(const std::string& initiator, const TakeBackOptions& options = {});
  // To vfio-pci, and back to the kernel's own driver; org.p2pd1.bind-driver. `group`: every function of its IOMMU group but
  // bridges.
  void bind(const std::string& address, bool force = false, bool group = false);
  void unbind(const std::string& address, bool force = false, bool group = false);
  // A function on vfio-pci: what uses it is taken back first, with force; its targets stay enabled. Throws not_supported
  // when the hardware knows no reset of this function alone.
  void reset(const std::string& address, const TakeBackOptions& options = {});

  // ---- use
  // Borrows an initiator that an operator has offered: its device fd is in the holding. org.p2pd1.acquire; throws Error:
  // NotOffered, Busy, NotPermitted, NotFound, Blocked, QuotaExceeded, Failed; std::system_error.
  [[nodiscard]] Holding acquire(const std::string& initiator, const AcquireOptions& options = {});

  // A target as a dma-buf, for any importer in the kernel; the function is this grant's alone while it lasts.
  // org.p2pd1.export-dma-buf; throws Error: NotEnabled, Busy, NotPermitted, NotFound, NotSupported (Linux before 6.19),
  // InvalidArgument, QuotaExceeded, Gone, Failed; std::system_error.
  [[nodiscard]] DmaBuf export_dma_buf(const std::string& target);

  // Memory that the target's kernel driver registered; `length` bytes of it are free in one piece at the time of the
  // grant. Nothing takes back what was mapped of it. org.p2pd1.allocate-peer-memory; throws Error: NotEnabled, Busy (also:
  // another user may have it still), NotPermitted, NotFound, NotSupported, InvalidArgument, QuotaExceeded, Gone, Failed;
  // std::system_error.
  [[nodiscard]] PeerMemory allocate_peer_memory(const std::string& target, std::uint64_t length);

  // ---- end a grant, by its object path
  void release(const std::string& path);  // one's own; waits until it is unmapped
  // Anybody's: org.p2pd1.revoke. Tells the owner and waits `grace` for it.
  void revoke(const std::string& path, const std::string& why, std::chrono::milliseconds grace = std::chrono::milliseconds{0});

 private:
  explicit Client(std::shared_ptr<Connection> connection) noexcept;
  std::shared_ptr<Connection> connection_;
};

}  // namespace p2pclient
