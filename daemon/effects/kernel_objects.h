// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is open and mapped in the kernel, and the steps that change it: one file per effect. The worker's thread only.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "arbiter/effect.h"
#include "mapping/back_ends.h"
#include "mapping/transaction.h"
#include "state/fd_store.h"

namespace p2pd {

class KernelObjects {
 public:
  KernelObjects(BackEnds back_ends, FdStore& store, FaultInjector fail);

  // Gives what the kernel signals when it wants the function back; nothing where it cannot. open_target.cpp
  [[nodiscard]] Outcome<UniqueFd> open_target(const OpenTarget& effect);
  [[nodiscard]] Outcome<void> close_target(const CloseTarget& effect);  // close_target.cpp

  // reset_function.cpp
  [[nodiscard]] Outcome<void> reset_function(const ResetFunction& effect);

  struct Opened {
    std::vector<Range<Iova>> valid_iovas;
    std::string backend;
    Lease lease;
  };
  // The fds go to the client in a message that names `grant_path`. On failure the lease is ended. open_holding.cpp
  [[nodiscard]] Outcome<Opened> open_holding(OpenHolding effect, const std::string& grant_path);
  // Leaves the leases (they are the loop's) but takes them out of the store. On failure the holding is open as before, and
  // what it maps is mapped. Gives a copy of the device's descriptor if it is to be kept, else nothing. close_holding.cpp
  [[nodiscard]] Outcome<UniqueFd> close_holding(const CloseHolding& effect);

  // Give the mapping's own lease back, if it has one; on failure it is ended. map_client_memory.cpp, map_peer.cpp
  [[nodiscard]] Outcome<std::optional<Lease>> map_client_memory(MapClientMemory effect);
  [[nodiscard]] Outcome<std::optional<Lease>> map_peer(MapPeer effect);
  [[nodiscard]] Outcome<void> unmap(const Unmap& effect);  // unmap.cpp

  // The dma-buf goes to the client in a message that names `grant_path`. export_bar.cpp
  [[nodiscard]] Outcome<std::optional<Lease>> export_bar(ExportBar effect, const std::string& grant_path);
  [[nodiscard]] Outcome<void> end_export(const EndExport& effect);

  // The descriptor goes to the client in a message that names `grant_path`; `directory` is where it is noted who is lent the
  // memory. lend_peer_memory.cpp
  [[nodiscard]] Outcome<std::optional<Lease>> lend_peer_memory(LendPeerMemory effect, UniqueFd pool,
                                                               const std::filesystem::path& directory,
                                                               const std::string& grant_path);
  void end_peer_memory(const EndPeerMemory& effect);

 private:
  struct MappedRange {
    DmaMemory memory;
    bool has_lease = false;
  };
  // Destroyed members last to first: memory goes before the function that maps it.
  struct OpenedHolding {
    std::unique_ptr<OpenedFunction> function;
    std::vector<std::string> stored_names;
    std::map<MappingId, MappedRange> mappings;
  };
  struct OpenedTarget {
    std::unique_ptr<OpenedFunction> function;
    std::vector<std::string> stored_names;
  };

  // Runs the step that opens the function, through the back end of this name, or ("") the first that can.
  [[nodiscard]] Outcome<void> run_open(Transaction& transaction, const Address& address, std::uint32_t iommu_group,
                                       const std::string& backend, OpenedThrough& opened);
  // Puts the fd into the store as a step; the name goes to `names`.
  [[nodiscard]] Outcome<void> run_keep(Transaction& transaction, std::vector<std::string>& names, const std::string& name, int fd,
                                       bool is_lease);
  [[nodiscard]] static Outcome<void> run_check_lease(Transaction& transaction, const Lease& lease);
  // What both maps have in common. `bring` gets the memory as the holding's address space takes it. map.cpp
  struct NewMapping {
    std::string what;  // for errors
    MappingId mapping;
    HoldingId holding;
    Range<Iova> iova;
    Access access;
    std::optional<Lease> lease;
  };
  using Bring = std::function<Outcome<DmaMemory>(const OpenedFunction& initiator)>;
  [[nodiscard]] Outcome<std::optional<Lease>> map(NewMapping wanted, const Bring& bring);
  [[nodiscard]] Outcome<void> run_map(const NewMapping& wanted, const Bring& bring);
  [[nodiscard]] Outcome<void> run_export(const ExportBar& effect, const std::string& grant_path);
  [[nodiscard]] Outcome<void> run_lend(const LendPeerMemory& effect, int pool, const std::filesystem::path& directory,
                                       const std::string& grant_path);
  [[nodiscard]] Outcome<OpenedHolding*> find_holding(HoldingId holding);

  BackEnds back_ends_;
  FdStore& store_;
  FaultInjector fail_;
  std::map<Address, OpenedTarget> targets_;
  std::map<HoldingId, OpenedHolding> holdings_;
  std::uint64_t next_target_ = 1;
};

}  // namespace p2pd
