// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The table of hostile clients: one row each. While they do their worst bob asks as ever, and is answered as fast as ever;
// when they are gone nothing of them is left.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/attacker.h"
#include "harness/fuse_file.h"
#include "harness/idle_service.h"
#include "harness/scene.h"

namespace p2pd::test {

class HostileClient;

struct Attack {
  const char* name;
  // Prepares it, and says what is done over and over.
  std::function<Attacker::Deed(HostileClient&)> prepare;
  // Until they have used up what a client gets at once: that is no attack yet.
  std::chrono::milliseconds run_up{300};
  unsigned attackers = 1;
};

inline std::ostream& operator<<(std::ostream& stream, const Attack& attack) { return stream << attack.name; }

class HostileClient : public Scene {
 public:
  void SetUp() override;
  void TearDown() override;

  using Scene::acquire;
  using Scene::alice;
  using Scene::bus;
  using Scene::daemon;
  using Scene::directory;

  Held held;  // alice's
  std::unique_ptr<FuseFile> fuse;
  std::vector<UniqueFd> peers;  // of sockets that p2pd cannot close before these are closed

 protected:
  // Microseconds that bob waits for an answer to Ping.
  [[nodiscard]] double ping_time(const char* whom);
  void expect_that_bob_is_served();
  [[nodiscard]] std::size_t resident_kib() const;
  // Of time and memory nothing can be told of a p2pd with sanitizers.
  [[nodiscard]] static bool counts_figures();

 private:
  Traces before_;
  std::size_t resident_before_ = 0;
};

// Against p2pd as it is: bob's median Ping is compared with that of a quiet bus.
class HostileAttack : public HostileClient, public testing::WithParamInterface<Attack> {};
// Messages that nobody can be kept from sending, since no answer is awaited: the bus takes them as fast as it can, and so
// must whoever gets them. How long until p2pd is through with a thousand is compared with a service that does nothing.
class HostileFlood : public HostileClient, public testing::WithParamInterface<Attack> {};

template <class Rows>
auto in_table_of_attacks(const Rows& rows) {
  return testing::ValuesIn(rows);
}
inline std::string attack_name(const testing::TestParamInfo<Attack>& info) { return info.param.name; }

}  // namespace p2pd::test
