// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/back_ends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace p2pd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Answers every open with a reason, or (success) with nothing that could be used.
class StubbornVfio final : public Vfio {
 public:
  StubbornVfio(std::string name, Outcome<void> works) : name_(std::move(name)), works_(std::move(works)) {}

  std::string name() const override { return name_; }
  Outcome<void> probe() const override { return works_; }
  Outcome<std::unique_ptr<OpenedFunction>> open(const Address&, std::uint32_t) override {
    ++opens;
    if (!works_) return error_of(works_);
    return nullptr;
  }
  char address_space_suffix() const override { return name_.front(); }
  Outcome<void> unmap_all_in(int) override { return works_; }

  int opens = 0;

 private:
  std::string name_;
  Outcome<void> works_;
};

const Address device{0, 1, 0, 0};
const Outcome<void> cannot = refuse(ErrorCode::not_supported, "no iommufd");
const Outcome<void> is_busy = refuse(ErrorCode::busy, "somebody has it");

TEST(BackEnds, TheFirstThatCanOpensIt) {
  StubbornVfio first("iommufd", {});
  StubbornVfio second("vfio-type1", {});
  EXPECT_EQ(open_through({first, second}, "", device, 1)->backend, "iommufd");
  EXPECT_EQ(second.opens, 0);
}

TEST(BackEnds, WhatOneCannotDoAnotherOneMay) {
  StubbornVfio first("iommufd", cannot);
  StubbornVfio second("vfio-type1", {});
  EXPECT_EQ(open_through({first, second}, "", device, 1)->backend, "vfio-type1");
}

TEST(BackEnds, WhatIsBusyIsBusyForAll) {
  StubbornVfio first("iommufd", is_busy);
  StubbornVfio second("vfio-type1", {});
  EXPECT_EQ(open_through({first, second}, "", device, 1).error().code, ErrorCode::busy);
  EXPECT_EQ(second.opens, 0);
}

TEST(BackEnds, TheOneThatIsNamedOpensIt) {
  StubbornVfio first("iommufd", {});
  StubbornVfio second("vfio-type1", {});
  EXPECT_EQ(open_through({first, second}, "vfio-type1", device, 1)->backend, "vfio-type1");
  EXPECT_EQ(first.opens, 0);
  EXPECT_EQ(open_through({first, second}, "p2pmem", device, 1).error().code, ErrorCode::not_supported);
}

TEST(BackEnds, TheOneThatIsNamedIsNotReplaced) {
  StubbornVfio first("iommufd", cannot);
  StubbornVfio second("vfio-type1", {});
  EXPECT_EQ(open_through({first, second}, "iommufd", device, 1).error().code, ErrorCode::not_supported);
  EXPECT_EQ(second.opens, 0);
}

TEST(BackEnds, ThoseThatWorkAreTold) {
  StubbornVfio first("iommufd", cannot);
  StubbornVfio second("vfio-type1", {});
  EXPECT_THAT(*probe({first, second}), ElementsAre("vfio-type1"));
  EXPECT_THAT(*probe({second}), ElementsAre("vfio-type1"));
}

TEST(BackEnds, WhyNoneWorksIsWhatTheLastOneSays) {
  StubbornVfio first("iommufd", cannot);
  StubbornVfio second("vfio-type1", refuse(ErrorCode::not_supported, "no VFIO"));
  EXPECT_THAT(probe({first, second}).error().text, HasSubstr("no VFIO"));
}

}  // namespace
}  // namespace p2pd
