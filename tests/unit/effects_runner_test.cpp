// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Effects from end to end, as transcripts: what the client sees, what the kernel does, what comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "effects_desk.h"
#include "open_fds.h"

namespace p2pd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class Effects : public testing::Test, protected EffectsDesk {
 protected:
  ~Effects() override {
    runner.reset();
    // Whatever a test did, it gave everything back.
    EXPECT_THAT(store.names(), IsEmpty());
  }
  LeaseClient client;
};

TEST_F(Effects, OpenAHoldingAndBringItsDeviceToTheClient) {
  const auto opened = open_holding(client);
  ASSERT_TRUE(opened.outcome) << opened.outcome.error().text;
  EXPECT_EQ(opened.holding, HoldingId{7});
  EXPECT_THAT(opened.outcome->valid_iovas, Not(IsEmpty()));
  EXPECT_EQ(opened.outcome->backend, "vfio-type1");

  auto message = client.receive().value();
  EXPECT_EQ(nlohmann::json::parse(message.text), (nlohmann::json{{"event", "fds"}, {"grant", "/org/p2pd1/holding/7"}}));
  ASSERT_EQ(message.fds.size(), 1);
  EXPECT_EQ(store.name_of(message.fds[0].get()), "h7.d");
  EXPECT_THAT(store.names(), UnorderedElementsAre("h7.c", "h7.g", "h7.d", "h7.l"));
  close_holding();
}

// The address space says how it wants a BAR, the target gives it so.
TEST_F(Effects, MapABarAsADmaBufWhereTheAddressSpaceWantsIt) {
  vfio.map_bars_as_dma_buf();
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  ASSERT_TRUE(map_peer(peer_at(cookie)));

  EXPECT_THAT(vfio.calls(), testing::Contains("export_bar 0000:02:00.0:2:0x1000+0x1000"));
  ASSERT_TRUE(vfio.dma_write(initiator, cookie, bytes_of("abc")));
  EXPECT_EQ(vfio.bar_bytes(target, 2, Bytes{0x1000}, Bytes{3}), bytes_of("abc"));

  close_holding();
  EXPECT_FALSE(vfio.dma_write(initiator, cookie, bytes_of("abc")));
  close_target();
}

TEST_F(Effects, MapNoDmaBufThatCannotBeExported) {
  vfio.map_bars_as_dma_buf();
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  vfio.fail_next("export_bar", {ErrorCode::not_supported, "no export"});
  EXPECT_EQ(map_peer(peer_at(cookie)).error().code, ErrorCode::not_supported);
  EXPECT_TRUE(map_peer(peer_at(cookie)));
  close_holding();
  close_target();
}

TEST_F(Effects, OpenThroughTheBackEndThatWasNamedOnly) {
  runner->run(OpenHolding{HoldingId{7}, initiator, initiator_group, lease_of(client), "iommufd"});
  EXPECT_EQ(next<HoldingOpened>().outcome.error().code, ErrorCode::not_supported);
  LeaseClient second;
  runner->run(OpenHolding{HoldingId{7}, initiator, initiator_group, lease_of(second), "vfio-type1"});
  EXPECT_TRUE(next<HoldingOpened>().outcome);
  close_holding();
}

TEST_F(Effects, ExportATargetToTheClientUntilItsFunctionIsClosed) {
  ASSERT_TRUE(open_target());
  runner->run(ExportBar{MappingId{9}, target, 2, Bytes{0x1000}, page, lease_of(client)});
  ASSERT_TRUE(next<Mapped>().outcome);
  auto message = client.receive().value();
  EXPECT_EQ(nlohmann::json::parse(message.text), (nlohmann::json{{"event", "fds"}, {"grant", "/org/p2pd1/mapping/9"}}));
  EXPECT_EQ(message.fds.size(), 1);
  EXPECT_THAT(vfio.calls(), testing::Contains("export_bar 0000:02:00.0:2:0x1000+0x1000"));
  EXPECT_THAT(store.names(), testing::Contains("m9.l"));

  runner->run(EndExport{MappingId{9}, target});
  EXPECT_TRUE(next<Unmapped>().outcome);
  EXPECT_EQ(next<TargetClosed>().device, target);
  EXPECT_FALSE(vfio.is_open(target));
  EXPECT_TRUE(has_hung_up(client.socket()));
  const auto calls = vfio.calls();
  ASSERT_GE(calls.size(), 2U);
  EXPECT_EQ(calls[calls.size() - 2], "suspend_exports 0000:02:00.0") << "before the store has let go";
  EXPECT_EQ(calls.back(), "close 0000:02:00.0");
}

TEST_F(Effects, TellThatTheClientOfAnExportIsGone) {
  ASSERT_TRUE(open_target());
  runner->run(ExportBar{MappingId{9}, target, 2, Bytes{0}, page, lease_of(client)});
  ASSERT_TRUE(next<Mapped>().outcome);
  client.close();
  EXPECT_EQ(next<LeaseEnded>().grant, GrantId{MappingId{9}});
  runner->run(EndExport{MappingId{9}, target});
  EXPECT_EQ(next<TargetClosed>().device, target);
}

TEST_F(Effects, LeaveNothingOfAnExportThatFails) {
  ASSERT_TRUE(open_target());
  const auto before = store.names();
  vfio.fail_next("export_bar", {ErrorCode::not_supported, "no dma-buf"});
  runner->run(ExportBar{MappingId{9}, target, 2, Bytes{0}, page, lease_of(client)});
  EXPECT_EQ(next<Mapped>().outcome.error().code, ErrorCode::not_supported);
  EXPECT_TRUE(has_hung_up(client.socket()));
  EXPECT_EQ(store.names(), before);
  close_target();
}

TEST_F(Effects, ResetATargetThatStaysOpen) {
  ASSERT_TRUE(open_target());
  runner->run(ResetFunction{target, target_group});
  EXPECT_TRUE(next<FunctionReset>().outcome);
  EXPECT_EQ(vfio.calls().back(), "reset 0000:02:00.0");
  vfio.fail_next("reset", {ErrorCode::not_supported, "no-reset"});
  runner->run(ResetFunction{target, target_group});
  EXPECT_EQ(next<FunctionReset>().outcome.error().code, ErrorCode::not_supported);
  close_target();
}

TEST_F(Effects, OpenAFunctionForItsResetOnly) {
  const auto before = open_fds();
  runner->run(ResetFunction{target, target_group});
  EXPECT_TRUE(next<FunctionReset>().outcome);
  EXPECT_THAT(vfio.calls(), ElementsAre("open 0000:02:00.0", "reset 0000:02:00.0", "close 0000:02:00.0"));
  vfio.forget_closed();
  EXPECT_EQ(open_fds(), before);
}

TEST_F(Effects, CloseAHoldingInTheOrderOfGivingWay) {
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  ASSERT_TRUE(map_peer(peer_at(cookie)));
  const auto done_before = vfio.calls().size();

  close_holding();

  auto calls = vfio.calls();
  calls.erase(calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(done_before));
  EXPECT_THAT(calls, ElementsAre("unmap_all 0000:01:00.0", "close 0000:01:00.0"));
  EXPECT_TRUE(has_hung_up(client.socket()));
  close_target();
}

TEST_F(Effects, LendAFunctionAgainOnlyWhenNoCopyOfItsDeviceIsLeft) {
  ASSERT_TRUE(open_holding(client).outcome);
  auto message = client.receive().value();
  close_holding();

  LeaseClient next_client;
  EXPECT_EQ(open_holding(next_client).outcome.error().code, ErrorCode::busy);
  message.fds.clear();
  LeaseClient last_client;
  EXPECT_TRUE(open_holding(last_client).outcome);
  last_client.receive();
  close_holding();
}

TEST_F(Effects, MapABarWhereTheInitiatorReachesIt) {
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  const auto hello = bytes_of("hello");
  EXPECT_FALSE(vfio.dma_write(initiator, cookie, hello));

  ASSERT_TRUE(map_peer(peer_at(cookie)));
  ASSERT_TRUE(vfio.dma_write(initiator, cookie, hello));
  EXPECT_EQ(vfio.bar_bytes(target, 2, Bytes{0x1000}, Bytes{5}), hello);

  ASSERT_TRUE(unmap());
  EXPECT_FALSE(vfio.dma_write(initiator, cookie, bytes_of("again")));
  EXPECT_EQ(vfio.bar_bytes(target, 2, Bytes{0x1000}, Bytes{5}), hello);
  close_holding();
  close_target();
}

TEST_F(Effects, MapMemoryOfTheClient) {
  ASSERT_TRUE(open_holding(client).outcome);
  const auto memfd = client_memory();
  ASSERT_EQ(::pwrite(memfd.get(), "ping", 4, 0), 4);

  ASSERT_TRUE(map_memory(memory_at(cookie, memfd)));
  EXPECT_EQ(vfio.dma_read(initiator, cookie, Bytes{4}), bytes_of("ping"));
  ASSERT_TRUE(vfio.dma_write(initiator, cookie, bytes_of("pong")));
  char text[4];
  ASSERT_EQ(::pread(memfd.get(), text, 4, 0), 4);
  EXPECT_EQ(std::string(text, 4), "pong");

  close_holding();
  EXPECT_FALSE(vfio.dma_write(initiator, cookie, bytes_of("more")));
}

TEST_F(Effects, MapMemoryForReadingFromAReadOnlyMemfd) {
  ASSERT_TRUE(open_holding(client).outcome);
  const auto memfd = client_memory();
  const UniqueFd read_only(::open(("/proc/self/fd/" + std::to_string(memfd.get())).c_str(), O_RDONLY | O_CLOEXEC));
  auto effect = memory_at(cookie, read_only);
  effect.access = Access::read;
  ASSERT_TRUE(map_memory(std::move(effect)));
  EXPECT_TRUE(vfio.dma_read(initiator, cookie, Bytes{4}));
  EXPECT_FALSE(vfio.dma_write(initiator, cookie, bytes_of("no")));
  close_holding();
}

TEST_F(Effects, TellWhenTheClientIsGone) {
  ASSERT_TRUE(open_holding(client).outcome);
  auto copy = client.copy();
  client.close();
  loop.settle();
  ASSERT_FALSE(has_event_of_lease());
  copy.reset();
  EXPECT_EQ(next<LeaseEnded>().grant, GrantId{HoldingId{7}});
  close_holding();
}

TEST_F(Effects, TellThatTheHoldingIsOpenBeforeTheyTellThatItsLeaseEnded) {
  runner->run(OpenHolding{HoldingId{7}, initiator, initiator_group, lease_of(client)});
  // Dies with the device already in its queue.
  ASSERT_TRUE(loop.turn_until([&] { return !events.empty(); }));
  client.close();
  ASSERT_TRUE(loop.turn_until([&] { return events.size() == 2; }));
  EXPECT_TRUE(std::holds_alternative<HoldingOpened>(events[0]));
  EXPECT_TRUE(std::holds_alternative<LeaseEnded>(events[1]));
  close_holding();
}

TEST_F(Effects, OpenNothingForAClientThatDiedBefore) {
  auto lease = lease_of(client);
  client.close();
  runner->run(OpenHolding{HoldingId{7}, initiator, initiator_group, std::move(lease)});
  EXPECT_EQ(next<HoldingOpened>().outcome.error().code, ErrorCode::gone);
  EXPECT_FALSE(vfio.is_open(initiator));
}

TEST_F(Effects, RefuseALeaseThatHidesItsOtherEndFromTheLook) {
  auto lease = lease_of(client);
  // What a client does who wins the race against check_lease().
  LeaseClient cheat;
  auto end = cheat.give_end();
  ASSERT_TRUE(cheat.send("", {cheat.socket()}));
  ASSERT_EQ(::shutdown(end.get(), SHUT_RD), 0);
  runner->run(OpenHolding{HoldingId{7}, initiator, initiator_group, Lease{std::move(end)}});
  EXPECT_THAT(next<HoldingOpened>().outcome.error().text, HasSubstr("hidden"));
  EXPECT_TRUE(hangs_up(cheat.socket()));
}

TEST_F(Effects, EndAMappingWithALeaseOfItsOwn) {
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  LeaseClient own;
  auto effect = peer_at(cookie);
  effect.lease = lease_of(own);
  ASSERT_TRUE(map_peer(std::move(effect)));
  EXPECT_THAT(store.names(), testing::Contains("m9.l"));

  own.close();
  EXPECT_EQ(next<LeaseEnded>().grant, GrantId{MappingId{9}});
  ASSERT_TRUE(unmap());
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
  EXPECT_THAT(store.names(), Not(testing::Contains("m9.l")));
  close_holding();
  close_target();
}

TEST_F(Effects, EndTheLeaseOfAMappingThatIsUnmapped) {
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  LeaseClient own;
  auto effect = peer_at(cookie);
  effect.lease = lease_of(own);
  ASSERT_TRUE(map_peer(std::move(effect)));
  ASSERT_FALSE(has_hung_up(own.socket()));
  ASSERT_TRUE(unmap());
  EXPECT_TRUE(has_hung_up(own.socket()));
  EXPECT_FALSE(has_hung_up(client.socket()));
  EXPECT_FALSE(has_event_of_lease());
  close_holding();
  close_target();
}

TEST_F(Effects, EndTheLeasesOfMappingsWithTheirHolding) {
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  client.receive();  // and closes the device
  LeaseClient own;
  auto effect = peer_at(cookie);
  effect.lease = lease_of(own);
  ASSERT_TRUE(map_peer(std::move(effect)));
  close_holding();
  EXPECT_TRUE(has_hung_up(own.socket()));
  EXPECT_TRUE(has_hung_up(client.socket()));
  EXPECT_FALSE(has_event_of_lease());
  EXPECT_FALSE(vfio.is_open(initiator));
  close_target();
}

TEST_F(Effects, LeaveOtherHoldingsAlone) {
  LeaseClient other;
  ASSERT_TRUE(open_holding(client).outcome);
  runner->run(OpenHolding{HoldingId{8}, target, target_group, lease_of(other)});
  ASSERT_TRUE(next<HoldingOpened>().outcome);
  close_holding();
  EXPECT_FALSE(has_hung_up(other.socket()));
  EXPECT_TRUE(vfio.is_open(target));
  close_holding(HoldingId{8});
  EXPECT_TRUE(has_hung_up(other.socket()));
}

TEST_F(Effects, KeepAMappingWhoseUnmapFails) {
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(open_holding(client).outcome);
  ASSERT_TRUE(map_peer(peer_at(cookie)));
  vfio.fail_next("unmap", {ErrorCode::failed, "EINVAL"});
  EXPECT_EQ(unmap().error().text, "EINVAL");
  EXPECT_THAT(vfio.mapped(initiator), ElementsAre(Range<Iova>{cookie, page}));
  close_holding();
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
  close_target();
}

TEST_F(Effects, RefuseToMapWithoutHoldingOrTarget) {
  EXPECT_EQ(map_peer(peer_at(cookie)).error().code, ErrorCode::gone);
  EXPECT_EQ(map_memory(memory_at(cookie, client_memory())).error().code, ErrorCode::gone);
  EXPECT_EQ(unmap().error().code, ErrorCode::gone);
  ASSERT_TRUE(open_holding(client).outcome);
  EXPECT_THAT(map_peer(peer_at(cookie)).error().text, HasSubstr("0000:02:00.0 is not open as a target"));
  EXPECT_EQ(unmap().error().code, ErrorCode::gone);
  close_holding();
}

TEST_F(Effects, KeepTargetsForTheNextDaemonToo) {
  ASSERT_TRUE(open_target());
  EXPECT_THAT(store.names(), UnorderedElementsAre("t1.c", "t1.g", "t1.d"));
  EXPECT_FALSE(open_target());
  close_target();
  EXPECT_FALSE(vfio.is_open(target));
  ASSERT_TRUE(open_target());
  EXPECT_THAT(store.names(), UnorderedElementsAre("t2.c", "t2.g", "t2.d"));
  close_target();
}

TEST_F(Effects, BringNoticesOverTheLease) {
  ASSERT_TRUE(open_holding(client).outcome);
  client.receive();
  runner->run(Tell{.grant = HoldingId{7},
                   .lease = HoldingId{7},
                   .what = Tell::What::revoking,
                   .reason = RevokeReason::disabled,
                   .grace = std::chrono::milliseconds{250}});
  EXPECT_EQ(
      nlohmann::json::parse(client.receive().value().text),
      (nlohmann::json{{"event", "revoking"}, {"grant", "/org/p2pd1/holding/7"}, {"reason", "disabled"}, {"deadline_ms", 250}}));
  close_holding();
}

TEST_F(Effects, BringTheLastNoticeBeforeTheLeaseEnds) {
  ASSERT_TRUE(open_holding(client).outcome);
  client.receive();
  runner->run(Tell{.grant = MappingId{9}, .lease = HoldingId{7}, .what = Tell::What::revoked, .reason = RevokeReason::stopping});
  close_holding();
  EXPECT_THAT(client.receive().value().text, HasSubstr(R"("grant":"/org/p2pd1/mapping/9")"));
  EXPECT_TRUE(has_hung_up(client.socket()));
}

TEST_F(Effects, TellWhenADeadlinePassed) {
  runner->run(StartDeadline{HoldingId{7}, std::chrono::milliseconds{30}});
  loop.settle();
  EXPECT_EQ(next<DeadlinePassed>().grant, GrantId{HoldingId{7}});
}

TEST_F(Effects, ForgetTheDeadlineOfAGrantThatIsGone) {
  ASSERT_TRUE(open_holding(client).outcome);
  runner->run(StartDeadline{HoldingId{7}, std::chrono::milliseconds{1}});
  runner->run(StartDeadline{HoldingId{8}, std::chrono::milliseconds{60}});
  close_holding();
  EXPECT_EQ(next<DeadlinePassed>().grant, GrantId{HoldingId{8}});
  EXPECT_THAT(events, IsEmpty());
}

TEST_F(Effects, AnswerWhenADriverCannotBeChanged) {
  runner->run(BindToVfio{RequestId{5}, {initiator}, false});
  const auto bound = next<DriverChanged>();
  EXPECT_EQ(bound.request, RequestId{5});
  EXPECT_EQ(bound.devices, std::vector<Address>{initiator});
  EXPECT_EQ(bound.outcome.error().code, ErrorCode::not_found);
  runner->run(UnbindFromVfio{RequestId{6}, {initiator}, false});
  EXPECT_EQ(next<DriverChanged>().outcome.error().code, ErrorCode::not_found);
}

TEST_F(Effects, LeaveNoFdBehind) {
  // The BAR of the fake has its memory from the first look on.
  static_cast<void>(vfio.bar_bytes(target, 2, Bytes{0}, Bytes{1}));
  const auto before = open_fds();
  {
    const auto memfd = client_memory();
    LeaseClient own;
    LeaseClient holder;
    ASSERT_TRUE(open_target());
    ASSERT_TRUE(open_holding(holder).outcome);
    auto effect = memory_at(cookie, memfd);
    effect.lease = lease_of(own);
    ASSERT_TRUE(map_memory(std::move(effect)));
    ASSERT_TRUE(map_peer(peer_at(Iova{0x200000}, MappingId{10})));
    EXPECT_GT(open_fds(), before);
    close_holding();
    close_target();
  }
  vfio.forget_closed();
  EXPECT_TRUE(open_fds_fall_to(before));
}

}  // namespace
}  // namespace p2pd
