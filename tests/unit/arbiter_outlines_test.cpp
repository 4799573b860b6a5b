// SPDX-License-Identifier: LGPL-2.1-or-later
//
// CheckAll and Check say the same, also about what only the arbiter knows.
#include "arbiter_scene.h"

namespace p2pd::test {

namespace {

// All pairs of a desk by both ways; the outline of the first one.
Outline outlined(Desk& desk, const std::vector<Address>& rows, const std::vector<TargetName>& columns) {
  const auto outlines = desk.arbiter().outlines(rows, columns);
  EXPECT_EQ(outlines.size(), rows.size() * columns.size());
  for (std::size_t i = 0; i < outlines.size(); ++i) {
    const auto& row = rows[i / columns.size()];
    const auto& column = columns[i % columns.size()];
    const auto verdict = desk.arbiter().check(row, column, 64);
    EXPECT_EQ(outlines[i], (Outline{.possible = verdict.possible, .answer = verdict.answer, .route = verdict.route}))
        << row.to_string() << " -> " << column.to_string();
  }
  return outlines.front();
}

const std::vector<Address> rows{at(initiator), at(other_initiator), at("0000:04:00.0"), at("0000:0f:00.0")};
const std::vector<TargetName> columns{target(peer_name), target("0000:04:00.0:2:0x1000+0x1000"), target("0000:05:00.0:0"),
                                      target("0000:0f:00.0:0")};

TEST(ArbiterOutlines, FollowWhatIsOfferedEnabledAndHeld) {
  Desk fresh(redirecting_switch());
  EXPECT_EQ(outlined(fresh, rows, columns).answer, Answer::no);

  ReadyDesk desk;
  EXPECT_EQ(outlined(desk, rows, columns), (Outline{Answer::yes, Answer::yes, Route::root_complex}));
  desk.hold();
  EXPECT_EQ(outlined(desk, rows, columns).answer, Answer::no) << "somebody has the initiator's group";
}

TEST(ArbiterOutlines, LeaveOutWhatAnOperatorAccepted) {
  auto functions = static_cast<Machine>(redirecting_switch()).functions();
  for (auto& function : functions) {
    if (function.address == at(initiator)) function.ats_enabled = true;
    if (function.address != at("0000:04:00.0")) continue;
    function.msix = MsixLocation{.table_bar = 2,
                                 .table_offset = {},
                                 .table_length = Bytes{64},
                                 .pba_bar = 2,
                                 .pba_offset = Bytes{4096},
                                 .pba_length = Bytes{64}};
  }
  Desk desk(Machine(static_cast<Machine>(redirecting_switch()).host(), functions));
  EXPECT_EQ(outlined(desk, rows, columns).answer, Answer::no);
  desk.ask(caller(0), Offer{.initiator = at(initiator), .trusted_firmware = true});
  EXPECT_EQ(outlined(desk, rows, columns).answer, Answer::no);
  desk.ask(caller(0), Enable{.target = target(peer_name), .force = true});
  desk.kernel_works();
  EXPECT_EQ(outlined(desk, rows, columns).answer, Answer::yes);
}

}  // namespace

}  // namespace p2pd::test
