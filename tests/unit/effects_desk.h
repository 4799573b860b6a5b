// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A Runner with fakes on both sides: what it does to kernel and fd store, and which events come back.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "../fakes/fake_fd_store.h"
#include "../fakes/fake_vfio.h"
#include "effects/lease.h"
#include "effects/runner.h"
#include "event_loop.h"
#include "lease_client.h"

namespace p2pd {

inline const Address initiator{0, 1, 0, 0};
inline const Address target{0, 2, 0, 0};
inline constexpr std::uint32_t initiator_group = 12;
inline constexpr std::uint32_t target_group = 13;
inline constexpr Iova cookie{0x100000};
inline constexpr Bytes page{4096};

inline std::vector<std::byte> bytes_of(const std::string& text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

struct EffectsDesk {
  TestLoop loop;
  fakes::FakeFdStore store;
  fakes::FakeVfio vfio{&store};
  std::vector<Event> events;
  std::string failing_step;
  std::unique_ptr<Runner> runner = std::make_unique<Runner>(Runner::Parts{
      .loop = loop.get(),
      .back_ends = {vfio},
      .store = &store,
      .driver_paths = {.sysfs_root = "/nonexistent", .proc_root = "/nonexistent", .vfio_directory = "/nonexistent"},
      .post = [this](Event event) { events.push_back(std::move(event)); },
      .path_of =
          [](const GrantId& grant) { return grant == GrantId{HoldingId{7}} ? "/org/p2pd1/holding/7" : "/org/p2pd1/mapping/9"; },
      .fail = [this](std::string_view step) { return !failing_step.empty() && step == failing_step; }});

  // Turns the loop until an event of this kind is there, and takes it.
  template <class Kind>
  Kind next() {
    const auto is_it = [](const Event& event) { return std::holds_alternative<Kind>(event); };
    const auto find = [&] { return std::find_if(events.begin(), events.end(), is_it); };
    if (!loop.turn_until([&] { return find() != events.end(); })) throw std::runtime_error("the event did not come");
    const auto found = find();
    Kind kind = std::move(std::get<Kind>(*found));
    events.erase(found);
    return kind;
  }

  Lease lease_of(LeaseClient& client) { return std::move(check_lease(client.give_end()).value()); }

  HoldingOpened open_holding(LeaseClient& client, HoldingId holding = HoldingId{7}) {
    runner->run(OpenHolding{holding, initiator, initiator_group, lease_of(client), ""});
    return next<HoldingOpened>();
  }
  Outcome<void> open_target() {
    runner->run(OpenTarget{target, target_group});
    return next<TargetOpened>().outcome;
  }
  MapPeer peer_at(Iova iova, MappingId mapping = MappingId{9}) {
    return {.mapping = mapping,
            .holding = HoldingId{7},
            .target = target,
            .bar = 2,
            .offset = Bytes{0x1000},
            .iova = {iova, page},
            .access = Access::read_write,
            .lease = {}};
  }
  Outcome<void> map_peer(MapPeer effect) {
    runner->run(std::move(effect));
    return next<Mapped>().outcome;
  }
  MapClientMemory memory_at(Iova iova, const UniqueFd& memfd, MappingId mapping = MappingId{9}) {
    return {.mapping = mapping,
            .holding = HoldingId{7},
            .memfd = UniqueFd::duplicate(memfd.get()),
            .offset = Bytes{0},
            .iova = {iova, page},
            .access = Access::read_write,
            .lease = {}};
  }
  Outcome<void> map_memory(MapClientMemory effect) {
    runner->run(std::move(effect));
    return next<Mapped>().outcome;
  }
  Outcome<void> unmap(MappingId mapping = MappingId{9}, Iova iova = cookie) {
    runner->run(Unmap{mapping, HoldingId{7}, {iova, page}});
    return next<Unmapped>().outcome;
  }
  void close_holding(HoldingId holding = HoldingId{7}) {
    runner->run(CloseHolding{holding});
    static_cast<void>(next<HoldingClosed>());
  }
  void close_target() {
    runner->run(CloseTarget{target});
    static_cast<void>(next<TargetClosed>());
  }
  [[nodiscard]] bool has_event_of_lease() const {
    return std::any_of(events.begin(), events.end(),
                       [](const Event& event) { return std::holds_alternative<LeaseEnded>(event); });
  }
};

inline UniqueFd client_memory() {
  UniqueFd fd(::memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(fd.get(), 0x4000), 0);
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  return fd;
}

}  // namespace p2pd
