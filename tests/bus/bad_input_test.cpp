// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bad_input.h"

namespace p2pd::test {

namespace {

constexpr const char* disk_part = "0000:06:00.0:0:0x4000+0x2000";

}  // namespace

// Every kind of request is granted once, so that what a row sees refused is what it spoilt.
void BadInput::SetUp() {
  set_up_the_usual_pair();
  (void)root.offer(other_initiator).granted();
  (void)root.enable(disk_part).granted();
  memory = sealed_memory(0x4000);

  held = acquire(alice, initiator);
  const auto own = alice.map_memory(held.path, memory.get(), 0, 0x4000).granted()[0].text();
  const auto theirs = alice.map(held.path, target_bar).granted()[0].text();
  (void)alice.release(own).granted();
  (void)alice.release(theirs).granted();

  other = acquire(bob, other_initiator);
  taken = bob.map(other.path, disk_part).granted()[0].text();
}

Answer BadInput::acquire_with(Options options) {
  const Lease lease;
  return alice.acquire(initiator, lease, options);
}

TEST_P(BadInput, IsRefusedByNameAndLeavesNoTrace) {
  const auto before = traces();
  const auto grants = root.grants();
  const auto answer = GetParam().request(*this);
  EXPECT_EQ(answer.error, GetParam().error) << answer;
  EXPECT_NE(answer.text, "") << "a sentence for people";
  expect_no_trace_since(before);
  EXPECT_EQ(root.grants(), grants);
}

}  // namespace p2pd::test
