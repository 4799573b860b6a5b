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
  EXPECT_THAT(remedies_of({with_remedy("pci=config_acs=00xx@0000:00:01.0;00xx@0000:00:02.0"),
                           with_remedy("pci=config_acs=1xxxx@0000:00:02.0"), with_remedy("pci=config_acs=0xxxxx@0000:00:01.0")}),
              ElementsAre("pci=config_acs=0x00xx@0000:00:01.0;100xx@0000:00:02.0"));
}

TEST(Remedies, AreNoneWhereNothingHelpsAgainstOneOfThem) {
  EXPECT_THAT(remedies_of({with_remedy("pci=noats"), with_remedy("")}), IsEmpty());
  EXPECT_THAT(remedies_of({with_remedy("pci=noats"), with_remedy("", Severity::limit)}), ElementsAre("pci=noats"));
}

}  // namespace
}  // namespace p2pd::test
