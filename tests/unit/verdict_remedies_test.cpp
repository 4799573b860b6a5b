// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/remedies.h"

#include <gmock/gmock.h>

namespace p2pd::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Blocker with_remedy(const std::string& remedy, Severity severity = Severity::block) {
  return {.code = "test", .severity = severity, .where = "", .observed = "", .needed = "", .remedy = remedy, .isolation = ""};
}

TEST(Remedies, AreOneArgumentForTheKernelAndThenWhatIsTyped) {
  EXPECT_THAT(
      remedies_of({with_remedy("p2p-client bind 0000:01:00.0"), with_remedy("pci=noats"), with_remedy("intel_iommu=on"),
                   with_remedy("pci=disable_acs_redir=0000:00:01.0"), with_remedy("p2p-client bind 0000:01:00.0"),
                   with_remedy("pci=disable_acs_redir=0000:00:01.0;0000:00:02.0")}),
      ElementsAre("intel_iommu=on pci=noats,disable_acs_redir=0000:00:01.0;0000:00:02.0", "p2p-client bind 0000:01:00.0"));
}

TEST(Remedies, NameAPortOnceWithAllItsFlags) {
  // Controls 0x2d and 0x0d: the redirects of both off; Upstream Forwarding of the second on; Egress Control of the first off.
  EXPECT_THAT(
      remedies_of({with_remedy("pci=config_acs=0000001@0000:00:01.0;0000001@0000:00:02.0"),
                   with_remedy("pci=config_acs=0011101@0000:00:02.0"), with_remedy("pci=config_acs=0001001@0000:00:01.0")}),
      ElementsAre("pci=config_acs=0000001@0000:00:01.0;0010001@0000:00:02.0"));
}

TEST(Remedies, AreNoneWhereNothingHelpsAgainstOneOfThem) {
  EXPECT_THAT(remedies_of({with_remedy("pci=noats"), with_remedy("")}), IsEmpty());
  EXPECT_THAT(remedies_of({with_remedy("pci=noats"), with_remedy("", Severity::limit)}), ElementsAre("pci=noats"));
}

}  // namespace
}  // namespace p2pd::test
