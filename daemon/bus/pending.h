// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A reply that is owed. Exactly one answer leaves: the first that is given, or Failed when it is dropped: a request that is
// never answered would keep its client waiting until its own timeout.
#pragma once

#include <functional>

#include "arbiter/effect.h"
#include "bus/raw.h"
#include "model/reason.h"

namespace p2pd {

class Pending {
 public:
  explicit Pending(sd_bus_message* call) : call_(keep(call)) {}
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&&) = delete;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending();

  // Later calls do nothing. Never throw: who cannot be answered has left.
  void answer(const Outcome<ReplyValue>& outcome) noexcept;
  void refuse(const Reason& reason) noexcept;
  // The answer is what `write` puts into it; what `write` throws is answered as an error.
  void answer(const std::function<void(sd_bus_message* reply)>& write) noexcept;

  [[nodiscard]] sd_bus_message* call() const { return call_.get(); }

 private:
  MessageRef call_;  // empty = answered
};

}  // namespace p2pd
