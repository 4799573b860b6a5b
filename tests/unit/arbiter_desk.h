// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An arbiter under test, spoken to in verbs. Effects for the kernel are collected; the test says how they end, so every
// race can be played step by step.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "arbiter/arbiter.h"
#include "builders.h"

namespace p2pd::test {

inline constexpr uid_t alice = 1000;
inline constexpr uid_t bob = 1001;

inline Caller caller(uid_t uid, std::set<gid_t> groups = {}) {
  return {
      .sender = ":1.7", .euid = uid, .pid = 42, .unit = "", .may_interact = false, .groups = std::move(groups), .granted = {}};
}

class Desk {
 public:
  explicit Desk(const Machine& machine, Limits limits = {}, std::map<Address, LentPool> lent_pools = {})
      : arbiter_({.limits = limits, .first_id = 1, .backends = {"iommufd", "vfio-type1"}, .lent_pools = std::move(lent_pools)},
                 std::make_shared<const Machine>(machine), shipped_tables()) {}

  // ---- what clients and operators do; the number is the request's, to be asked for with answer()
  RequestId ask(const Caller& who, Command command) {
    const RequestId id{next_request_++};
    happens(Request{.id = id, .caller = who, .command = std::move(command)});
    return id;
  }
  RequestId enable(std::string_view name, bool exclusive = true, std::optional<Access> access = {}) {
    return ask(caller(0), Enable{.target = target(name), .exclusive = exclusive, .access = access});
  }
  RequestId disable(std::string_view name, bool force = false, std::chrono::milliseconds grace = {}) {
    return ask(caller(0), Disable{.target = target(name), .force = force, .grace = grace});
  }
  RequestId offer(std::string_view address, std::string group = "", gid_t gid = 0) {
    return ask(caller(0), Offer{.initiator = at(address), .group = std::move(group), .gid = gid});
  }
  RequestId acquire(const Caller& who, std::string_view address) {
    return ask(who, Acquire{.initiator = at(address), .lease = {}, .address_bits = 64});
  }
  RequestId map_memory(const Caller& who, HoldingId holding, std::uint64_t length) {
    return ask(who, MapMemory{.holding = holding, .memfd = {}, .offset = {}, .length = Bytes{length}, .lease = {}});
  }
  RequestId map(const Caller& who, HoldingId holding, std::string_view name, bool own_lease = false) {
    MapTarget command{.holding = holding, .target = target(name), .access = {}, .cookie = {}, .backend = "", .lease = {}};
    if (own_lease) command.lease.emplace();
    return ask(who, std::move(command));
  }
  RequestId export_dma_buf(const Caller& who, std::string_view name) {
    return ask(who, ExportDmaBuf{.target = target(name), .lease = {}});
  }
  RequestId allocate(const Caller& who, std::string_view name, std::uint64_t length) {
    return ask(who, AllocatePeerMemory{.target = target(name), .length = Bytes{length}, .lease = {}});
  }
  RequestId bind(std::string_view address, bool group = false) {
    return ask(caller(0), BindDriver{.device = at(address), .group = group});
  }
  RequestId unbind(std::string_view address, bool force = false, bool group = false) {
    return ask(caller(0), UnbindDriver{.device = at(address), .force = force, .group = group});
  }
  RequestId reset(std::string_view address, bool force = false, std::chrono::milliseconds grace = {}) {
    return ask(caller(0), Reset{.device = at(address), .force = force, .grace = grace});
  }
  RequestId release(const Caller& who, GrantId grant) { return ask(who, Release{grant}); }

  void becomes(const Machine& machine) { happens(MachineChanged{std::make_shared<const Machine>(machine)}); }
  void happens(Event event) {
    for (auto& effect : arbiter_.handle(std::move(event), now)) take(std::move(effect));
  }

  // ---- what the kernel does: runs everything that waits, and what comes of it, successfully
  void kernel_works() {
    while (!kernel.empty()) {
      auto effect = std::move(kernel.front());
      kernel.pop_front();
      std::visit([this](auto& what) { succeed(what); }, effect);
    }
  }
  // The next effect that waits fails with this.
  void kernel_fails(const std::string& text) {
    auto effect = std::move(kernel.front());
    kernel.pop_front();
    std::visit([&](auto& what) { fail(what, {ErrorCode::failed, text}); }, effect);
  }
  template <class Kind>
  [[nodiscard]] std::size_t waiting() const {
    return static_cast<std::size_t>(
        std::count_if(kernel.begin(), kernel.end(), [](const Effect& effect) { return std::holds_alternative<Kind>(effect); }));
  }

  // ---- what came out
  [[nodiscard]] bool is_answered(RequestId id) const { return answers_.contains(id); }
  [[nodiscard]] const Outcome<ReplyValue>& answer(RequestId id) const {
    if (!is_answered(id)) throw std::logic_error("request " + std::to_string(id.value) + " has no answer");
    return answers_.at(id);
  }
  [[nodiscard]] std::optional<ErrorCode> error(RequestId id) const {
    if (answer(id)) return std::nullopt;
    return answer(id).error().code;
  }
  [[nodiscard]] HoldingId holding(RequestId id) const { return std::get<HoldingGranted>(answer(id).value()).holding; }
  [[nodiscard]] PeerMapped peer(RequestId id) const { return std::get<PeerMapped>(answer(id).value()); }
  [[nodiscard]] MappingId exported(RequestId id) const { return std::get<Exported>(answer(id).value()).mapping; }
  [[nodiscard]] MemoryMapped memory(RequestId id) const { return std::get<MemoryMapped>(answer(id).value()); }
  // Whether the journal has a line of this kind with this in its text.
  [[nodiscard]] bool has_noted(Journal::What what, std::string_view text) const {
    return std::any_of(journal.begin(), journal.end(),
                       [&](const Journal& entry) { return entry.what == what && entry.text.find(text) != std::string::npos; });
  }
  [[nodiscard]] const State& state() const { return arbiter_.state(); }
  [[nodiscard]] Arbiter& arbiter() { return arbiter_; }

  std::chrono::microseconds now = std::chrono::seconds{1};
  std::deque<Effect> kernel;
  std::vector<Tell> told;
  std::vector<StartDeadline> deadlines;
  std::vector<Journal> journal;
  bool has_left = false;

 private:
  void take(Effect effect) {
    if (auto* reply = std::get_if<Reply>(&effect)) {
      EXPECT_TRUE(answers_.emplace(reply->request, std::move(reply->outcome)).second) << "answered twice";
    } else if (auto* notice = std::get_if<Tell>(&effect)) {
      told.push_back(*notice);
    } else if (auto* deadline = std::get_if<StartDeadline>(&effect)) {
      deadlines.push_back(*deadline);
    } else if (std::holds_alternative<Leave>(effect)) {
      has_left = true;
    } else if (auto* entry = std::get_if<Journal>(&effect)) {
      journal.push_back(std::move(*entry));
    } else if (!std::holds_alternative<Announce>(effect)) {
      kernel.push_back(std::move(effect));
    }
  }

  static constexpr Range<Iova> all_iovas{Iova{0}, Bytes{std::uint64_t{1} << 39}};
  void succeed(OpenTarget& effect) { happens(TargetOpened{effect.device, {}}); }
  void succeed(CloseTarget& effect) { happens(TargetClosed{effect.device}); }
  void succeed(ResetFunction& effect) { happens(FunctionReset{effect.device, {}}); }
  void succeed(OpenHolding& effect) {
    happens(HoldingOpened{effect.holding, AddressSpace{{all_iovas}, effect.backend.empty() ? "vfio-type1" : effect.backend}});
  }
  void succeed(CloseHolding& effect) { happens(HoldingClosed{effect.holding}); }
  void succeed(ClearOut& effect) { happens(ClearedOut{effect.holding, false, {}}); }
  void succeed(MapClientMemory& effect) { happens(Mapped{effect.mapping, {}}); }
  void succeed(MapPeer& effect) { happens(Mapped{effect.mapping, {}}); }
  void succeed(ExportBar& effect) { happens(Mapped{effect.mapping, {}}); }
  void succeed(EndExport& effect) {
    happens(Unmapped{effect.mapping, {}});
    happens(TargetClosed{effect.device});
  }
  void succeed(LendPeerMemory& effect) { happens(Mapped{effect.mapping, {}}); }
  void succeed(EndPeerMemory& effect) { happens(Unmapped{effect.mapping, {}}); }
  void succeed(Unmap& effect) { happens(Unmapped{effect.mapping, {}}); }
  void succeed(BindToVfio& effect) { happens(DriverChanged{effect.request, effect.devices, {}}); }
  void succeed(UnbindFromVfio& effect) { happens(DriverChanged{effect.request, effect.devices, {}}); }
  template <class Other>
  void succeed(Other&) {
    FAIL() << "not an effect for the kernel";
  }

  void fail(OpenTarget& effect, Reason reason) { happens(TargetOpened{effect.device, tl::unexpected(std::move(reason))}); }
  void fail(ResetFunction& effect, Reason reason) { happens(FunctionReset{effect.device, tl::unexpected(std::move(reason))}); }
  void fail(OpenHolding& effect, Reason reason) { happens(HoldingOpened{effect.holding, tl::unexpected(std::move(reason))}); }
  void fail(MapClientMemory& effect, Reason reason) { happens(Mapped{effect.mapping, tl::unexpected(std::move(reason))}); }
  void fail(MapPeer& effect, Reason reason) { happens(Mapped{effect.mapping, tl::unexpected(std::move(reason))}); }
  void fail(ExportBar& effect, Reason reason) { happens(Mapped{effect.mapping, tl::unexpected(std::move(reason))}); }
  void fail(LendPeerMemory& effect, Reason reason) { happens(Mapped{effect.mapping, tl::unexpected(std::move(reason))}); }
  void fail(Unmap& effect, Reason reason) { happens(Unmapped{effect.mapping, tl::unexpected(std::move(reason))}); }
  void fail(BindToVfio& effect, Reason reason) {
    happens(DriverChanged{effect.request, effect.devices, tl::unexpected(std::move(reason))});
  }
  void fail(UnbindFromVfio& effect, Reason reason) {
    happens(DriverChanged{effect.request, effect.devices, tl::unexpected(std::move(reason))});
  }
  template <class Other>
  void fail(Other&, const Reason&) {
    FAIL() << "this effect cannot fail";
  }

  Arbiter arbiter_;
  std::uint64_t next_request_ = 1;
  std::map<RequestId, Outcome<ReplyValue>> answers_;
};

}  // namespace p2pd::test
