// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A scene with somebody in it who wants to hurt: while he does what he can, an innocent client asks p2pd; afterwards nothing
// may be left of him.
#pragma once

#include <functional>
#include <string>

#include "harness/attacker.h"
#include "harness/innocent.h"
#include "harness/scene.h"

namespace p2pd::test {

[[nodiscard]] Client::Call manager_call(const char* method, Arguments arguments);
[[nodiscard]] Client::Call properties_call(const std::string& path, const std::string& interface);
[[nodiscard]] Client::Call ping_call();

class Siege : public Scene {
 public:
  // Called over and over by a thread of its own, then destroyed, with all that it owns. Made before that thread starts:
  // connections as somebody else can only be made while nobody else needs to be who he is.
  using Step = std::function<void()>;

 protected:
  Siege();

  // Prints and records the figures; expects what must hold during the attack and after it.
  void withstand(Step attack);

  [[nodiscard]] std::vector<Attacker> attackers(std::size_t count, uid_t uid = alice_uid);

  // What p2pd may keep of its memory afterwards: allocators do not give everything back.
  static constexpr std::size_t most_memory_kept = std::size_t{16} << 10;  // KiB
  static constexpr double most_slower = 3;

 private:
  void expect_that_work_goes_on();
  [[nodiscard]] std::size_t memory() const;  // KiB that are resident

  IdleService idle_;
  Innocent innocent_;
};

}  // namespace p2pd::test
