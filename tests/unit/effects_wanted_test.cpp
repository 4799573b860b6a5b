// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel asks for a target's function back.
#include "effects_desk.h"
#include "open_fds.h"

namespace p2pd {
namespace {

class Wanted : public testing::Test, protected EffectsDesk {
 protected:
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [](const Event& event) { return std::holds_alternative<DeviceWanted>(event); }));
  }
};

TEST_F(Wanted, IsToldEachTimeThatTheKernelAsks) {
  ASSERT_TRUE(open_target());
  loop.settle();
  EXPECT_EQ(count(), 0U) << "nobody asked yet";
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(vfio.want_back(target));
    EXPECT_EQ(next<DeviceWanted>().device, target);
    loop.settle();
    EXPECT_EQ(count(), 0U) << "once for each time";
  }
  close_target();
}

TEST_F(Wanted, IsNotToldOfATargetThatIsClosed) {
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(vfio.want_back(target));
  static_cast<void>(next<DeviceWanted>());
  close_target();
  EXPECT_FALSE(vfio.want_back(target)) << "the kernel has nobody to ask";
  loop.settle();
  EXPECT_EQ(count(), 0U);
}

TEST_F(Wanted, IsToldOfATargetThatWasOpenedAgain) {
  ASSERT_TRUE(open_target());
  close_target();
  ASSERT_TRUE(open_target());
  ASSERT_TRUE(vfio.want_back(target));
  EXPECT_EQ(next<DeviceWanted>().device, target);
  close_target();
}

TEST_F(Wanted, LeavesNoFdWhenTheTargetIsClosed) {
  const auto before = open_fds();
  ASSERT_TRUE(open_target());
  ASSERT_GT(open_fds(), before);
  close_target();
  vfio.forget_closed();
  EXPECT_LE(open_fds(), before);
}

TEST_F(Wanted, IsNoReasonToRefuseADeviceThatCannotSayIt) {
  vfio.fail_next("tell_when_wanted", {ErrorCode::failed, "EIO"});
  EXPECT_FALSE(open_target());
  vfio.fail_next("tell_when_wanted", {ErrorCode::not_supported, "no such index"});
  EXPECT_TRUE(open_target());
  close_target();
}

}  // namespace
}  // namespace p2pd
