// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may use what: a state machine without I/O. An event goes in, effects come out; every question about the world
// is asked of the picture that the last MachineChanged brought.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "arbiter/effect.h"
#include "arbiter/event.h"
#include "arbiter/state.h"
#include "model/machine.h"
#include "platform/tables.h"
#include "verdict/judge.h"
#include "verdict/verdict.h"

namespace p2pd {

// Per uid. Root is not exempt: a runaway program of root's is a runaway program.
struct Limits {
  unsigned holdings = 16;
  unsigned mappings = 1024;
  Bytes bytes{std::uint64_t{4} << 30};  // of client memory pinned
  unsigned requests = 64;               // in flight; the bus room counts them
};

struct ArbiterSettings {
  Limits limits;
  std::uint64_t first_id = 1;              // of holdings and mappings; above all that were ever given out
  std::set<std::string> backends;          // that a client may name
  std::map<Address, LentPool> lent_pools;  // by earlier lives of p2pd
};

class Arbiter {
 public:
  Arbiter(ArbiterSettings settings, std::shared_ptr<const Machine> machine, PlatformTables tables);

  // `now` is CLOCK_BOOTTIME. The effects are to be run in order.
  [[nodiscard]] std::vector<Effect> handle(Event event, std::chrono::microseconds now);

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] const Machine& machine() const { return *machine_; }

  // The judge's verdict with what only the arbiter knows added: target-not-enabled, initiator-not-offered, group-held.
  // `holding`: asked on behalf of this one, so that it does not stand in its own way.
  // `access`: what the initiator is to do.
  [[nodiscard]] Verdict check(const Address& initiator, const TargetName& target, unsigned address_bits,
                              const Holding* holding = nullptr, Access access = Access::read_write) const;
  // What check() comes to for each pair, asked on behalf of nobody, row by row.
  [[nodiscard]] std::vector<Outline> outlines(std::span<const Address> initiators, std::span<const TargetName> targets) const;

  void set_tables(PlatformTables tables) { tables_ = std::move(tables); }
  void set_limits(const Limits& limits) { settings_.limits = limits; }

 private:
  // Targets (targets.cpp).
  void on(RequestId id, const Caller& caller, Enable& command);
  void on(RequestId id, const Caller& caller, Disable& command);
  void on(TargetOpened& event);
  void on(const TargetClosed& event);
  void finish_disable(const TargetName& name);
  void close_device_if_unused(const Address& device);
  void answer_those_who_closed(const Address& device);
  // Ends the targets of one function and everything mapped from them.
  void drop_targets_of(const Address& device, RevokeReason reason);
  // The same, when nobody asked p2pd for it: says so in the journal.
  void lose_targets_of(const Address& device, RevokeReason reason);
  [[nodiscard]] std::vector<MappingId> mappings_of(const TargetName& name) const;

  // Initiators and drivers (initiators.cpp).
  void on(RequestId id, const Caller& caller, Offer& command);
  void on(RequestId id, const Caller& caller, Withdraw& command);
  void on(RequestId id, const Caller& caller, BindDriver& command);
  void on(RequestId id, const Caller& caller, UnbindDriver& command);
  void on(DriverChanged& event);
  [[nodiscard]] Outcome<const Function*> lendable(const Address& address, bool trusted_firmware) const;
  // `together`: what changes with it.
  [[nodiscard]] Outcome<void> free_for_driver_change(const Address& address, const std::vector<Address>& together) const;
  // The function alone, or all of its IOMMU group but bridges, whose driver is (`bound`) or is not vfio-pci.
  [[nodiscard]] Outcome<std::vector<Address>> functions_meant(const Address& device, bool group, bool bound) const;
  void start_driver_change(RequestId id, const std::vector<Address>& devices, bool waits_for_functions);
  // Whether p2pd itself has the function open, or is about to.
  [[nodiscard]] Outcome<void> not_in_use(const Address& address) const;
  [[nodiscard]] Outcome<void> no_driver_change_in_group(const Function& function) const;
  void give_back(const Address& address, const Owner& asker);
  void unbind_what_was_given_back();

  // Resets (resets.cpp).
  void on(RequestId id, const Caller& caller, Reset& command);
  void on(const FunctionReset& event);
  [[nodiscard]] Outcome<void> may_reset(const Address& device) const;
  [[nodiscard]] Outcome<void> not_resetting(const Address& device) const;
  void reset_what_was_given_back();
  // The holding of the function, and the mappings of its BARs.
  [[nodiscard]] std::vector<GrantId> grants_on(const Address& device) const;

  // Holdings (holdings.cpp).
  void on(RequestId id, const Caller& caller, Acquire& command);
  void on(HoldingOpened& event);
  void on(const HoldingClosed& event);
  [[nodiscard]] Outcome<const Function*> may_acquire(const Caller& caller, const Address& initiator) const;
  void end_holding(Holding& holding);

  // Initiators that must go (clearing.cpp).
  void on(const DeviceWanted& event);
  void on(const ClearedOut& event);
  // Revokes it, and takes the device from whoever has not closed it when the grace time, at least two seconds, is over.
  void take_away(Holding& holding, RevokeReason reason, std::chrono::milliseconds grace);
  void take_away_all_of(const Address& device, const std::string& why);
  static constexpr const char* being_removed = "the kernel waits for it: it is being unbound or pulled out";
  void clear_out(const Holding& holding);
  // It is unmapped and closed. `left`: who has the device open still, although it must go.
  void finish_holding(HoldingId id, const std::vector<std::string>& left);
  void answer_who_took_away(const Holding& holding, const Outcome<void>& outcome);
  void stop_clearing();

  // Mappings (mappings.cpp).
  void on(RequestId id, const Caller& caller, MapMemory& command);
  void on(RequestId id, const Caller& caller, MapTarget& command);
  void on(Mapped& event);
  void on(Unmapped& event);
  [[nodiscard]] Outcome<Holding*> usable_holding(const Caller& caller, HoldingId id);
  [[nodiscard]] Outcome<void> within_mapping_quota(const Caller& caller, Bytes pinned) const;
  // For a mapping on this holding, or (nothing) an export.
  [[nodiscard]] Outcome<const Target*> usable_target(const Owner& owner, std::optional<HoldingId> holding, const TargetName& name,
                                                     Access access) const;
  [[nodiscard]] Outcome<void> not_reached_by_others(const Owner& owner, const TargetName& name) const;
  [[nodiscard]] Mapping& new_mapping(RequestId id, const Caller& caller, std::optional<HoldingId> holding, Range<Iova> iova,
                                     Access access);
  void end_mapping(Mapping& mapping);
  void forget_mapping(MappingId id);

  // Exports (exports.cpp).
  void on(RequestId id, const Caller& caller, ExportDmaBuf& command);
  void end_export(const Mapping& mapping);
  // False when nothing of it is to be open any more.
  [[nodiscard]] bool open_again(const Address& device);
  void lose_targets_that_did_not_open(const Address& device, const Reason& reason);

  // Memory that kernel drivers registered (peer_memory.cpp).
  void enable_pool(RequestId id, const Caller& caller, const Enable& command, const TargetName& name);
  void on(RequestId id, const Caller& caller, AllocatePeerMemory& command);
  [[nodiscard]] Outcome<const Target*> free_pool(const Caller& caller, const TargetName& name, Bytes length) const;
  void remember_who_has(const Mapping& mapping);
  // Ends such targets and what was lent of them.
  void drop_pools_of(const Address& device, RevokeReason reason);
  void drop_all_pools(RevokeReason reason);
  void drop_lost_pools();

  // Ends (revocation.cpp).
  void on(RequestId id, const Caller& caller, Release& command);
  void on(RequestId id, const Caller& caller, Revoke& command);
  void on(const LeaseEnded& event);
  void on(const DeadlinePassed& event);
  void on(const StopRequested& event);
  void revoke(GrantId grant, RevokeReason reason, std::chrono::milliseconds grace);
  void end_grant(GrantId grant);
  [[nodiscard]] Outcome<const Owner*> owner_of(GrantId grant) const;
  [[nodiscard]] bool is_ending(GrantId grant) const;
  [[nodiscard]] GrantId lease_of(GrantId grant) const;

  // A new picture of the machine (picture.cpp).
  void on(const MachineChanged& event);
  void drop_lost_target_devices();
  void revoke_what_is_no_longer_safe();
  [[nodiscard]] std::string why_not_safe(const Holding& holding) const;
  [[nodiscard]] std::string why_not_safe(const Mapping& mapping) const;
  void revoke_for(GrantId grant, const std::string& why);

  // Blockers and words (arbiter.cpp).
  void on(Request& request);
  void judge_offer(const Address& initiator, std::vector<Blocker>& blockers) const;
  void judge_enabled(const TargetName& target, std::vector<Blocker>& blockers) const;
  [[nodiscard]] std::optional<Blocker> group_blocker(const Function& function, const Holding* asking) const;
  void reply(RequestId id, Outcome<ReplyValue> outcome);
  void reply_when_gone(RequestId id, GrantId grant);
  void answer_those_who_wait(GrantId grant);
  void announce(std::variant<HoldingId, MappingId, Address> object, Announce::What what);
  void note(Journal::What what, std::string subject, const Owner& owner, const std::optional<Address>& initiator,
            std::string target, std::string text);
  void leave_if_done();

  // A target function that is open in the kernel, or on its way.
  struct TargetDevice {
    enum class Phase : std::uint8_t { opening, open, closing } phase = Phase::opening;
    std::uint32_t iommu_group = 0;
    bool is_unwanted = false;  // nothing is enabled on it any more; closed as soon as it is open and nothing maps it
  };
  struct DriverChange {
    RequestId request;
    std::optional<std::uint32_t> iommu_group;
    std::vector<Address> devices;     // that change together
    bool waits_for_function = false;  // unbind by force: first p2pd gives them back
  };

  struct Resetting {
    RequestId request;
    Owner owner;
    std::uint32_t iommu_group = 0;
    bool is_running = false;  // in the kernel; before, what uses the function is being taken back
  };

  ArbiterSettings settings_;
  std::shared_ptr<const Machine> machine_;
  PlatformTables tables_;
  State state_;
  std::uint64_t next_id_;
  std::map<Address, TargetDevice> devices_;
  std::map<Address, DriverChange> changing_driver_;
  std::map<Address, Resetting> resetting_;
  // Requests that wait for something to finish.
  struct Enabling {
    RequestId request;
    Owner owner;
  };
  std::map<TargetName, Enabling> enabling_;
  std::multimap<TargetName, RequestId> disabling_;
  std::multimap<Address, RequestId> closing_;
  std::map<GrantId, RequestId> opening_;
  std::multimap<GrantId, RequestId> ending_;
  // Grants whose lease ended, or that were revoked, while the kernel was still making them.
  std::set<GrantId> ended_early_;
  // Why a grant is being revoked, and until when its client may quiesce.
  struct Deadline {
    RevokeReason reason;
    std::chrono::microseconds until;
  };
  std::map<GrantId, Deadline> revoking_;
  // Closed by p2pd, but not yet by everybody else.
  std::set<HoldingId> clearing_;
  std::multimap<HoldingId, RequestId> withdrawing_;
  bool has_left_ = false;
  std::vector<Effect> effects_;
  std::chrono::microseconds now_{0};
};

[[nodiscard]] Owner owner_from(const Caller& caller);
// "holding/7", "mapping/9": as in object paths and in the journal.
[[nodiscard]] std::string name_of(GrantId grant);

}  // namespace p2pd
