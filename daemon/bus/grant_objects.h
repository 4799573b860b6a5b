// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Holdings and mappings as objects. What a grant's object needs of the rest, and the seam by which the service keeps both
// kinds in one table.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "arbiter/effect.h"
#include "bus/announcer.h"
#include "bus/caller.h"
#include "bus/connection.h"
#include "bus/intake.h"
#include "bus/service.h"

namespace p2pd {

struct GrantContext {
  Connection& connection;
  Intake& intake;
  SenderUids& senders;
  const Core& core;
};

class GrantObject {
 public:
  GrantObject() = default;
  GrantObject(const GrantObject&) = delete;
  GrantObject& operator=(const GrantObject&) = delete;
  virtual ~GrantObject() = default;

  // The one that a mapping is on.
  [[nodiscard]] virtual std::optional<HoldingId> holding() const { return std::nullopt; }

  virtual void emit_revoking(const std::string& reason, std::chrono::microseconds deadline) = 0;
  virtual void emit_revoked(const std::string& reason) = 0;
};

// The context must live longer.
[[nodiscard]] std::unique_ptr<GrantObject> make_holding_object(GrantContext& context, HoldingId id);
[[nodiscard]] std::unique_ptr<GrantObject> make_mapping_object(GrantContext& context, MappingId id);

// "opening", "active", "revoking", "ending".
[[nodiscard]] std::string to_string(GrantPhase phase);

}  // namespace p2pd
