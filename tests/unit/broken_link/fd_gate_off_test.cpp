// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Linked so that the program does not export its recvmsg(): libsystemd takes libc's, and the gate would be off in silence.
#include <gtest/gtest.h>

#include "bus/fd_gate.h"
#include "event_loop.h"

namespace p2pd {
namespace {

TEST(FdGateOff, LetsNobodyStart) {
  const TestLoop loop;
  try {
    const FdGate gate(loop.get());
    FAIL() << "the gate is off, and nobody noticed";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("libsystemd does not use its recvmsg()"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace p2pd
