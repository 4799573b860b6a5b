// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is the same for every back end whose open fails: step and errno are named, and no descriptor stays.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "open_fds.h"
#include "scripted_kernel.h"

namespace p2pd {

struct OpenFailure {
  const char* name;
  unsigned long request;  // 0: open of `path`
  const char* path;
  int error;
  ErrorCode code;
  const char* step;
  const char* text;
};

using MakeBackEnd = std::unique_ptr<Vfio> (*)(BackEndOptions);

// `what`: how the back end calls its open in errors.
inline void expect_open_fails(ScriptedKernel& kernel, MakeBackEnd make, const OpenFailure& failure, const std::string& what) {
  using testing::HasSubstr;
  const auto before = open_fds();
  if (failure.request == 0) {
    kernel.open_errnos[failure.path] = failure.error;
  } else {
    kernel.errnos[failure.request] = failure.error;
  }

  const auto outcome = make(kernel.options())->open(device, 12);

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, failure.code);
  EXPECT_THAT(outcome.error().text, testing::AllOf(HasSubstr(what), HasSubstr(failure.step),
                                                   HasSubstr(::strerrorname_np(failure.error)), HasSubstr(failure.text)));
  EXPECT_EQ(open_fds(), before);
}

inline void expect_step_leaves_no_fd(ScriptedKernel& kernel, MakeBackEnd make, const std::string& step) {
  const auto before = open_fds();
  const auto outcome = make(kernel.options([&](std::string_view name) { return name == step; }))->open(device, 12);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().text, testing::HasSubstr(step + ": made to fail"));
  EXPECT_EQ(open_fds(), before);
}

}  // namespace p2pd
