// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits>
#include <utility>

#include "bus/grant_objects.h"
#include "bus/grant_requests.h"
#include "bus/guard.h"
#include "bus/paths.h"
#include "bus/text.h"
#include "org.p2pd1.Holding-adaptor.h"

namespace p2pd {

namespace {

constexpr std::uint32_t hidden_uid = std::numeric_limits<std::uint32_t>::max();  // no user has it: (uid_t)-1

class HoldingObject final : public GrantObject, public sdbus::AdaptorInterfaces<org::p2pd1::Holding_adaptor> {
 public:
  HoldingObject(GrantContext& context, HoldingId id)
      : AdaptorInterfaces(context.connection.sdbus(), sdbus::ObjectPath{path_of(GrantId{id})}), context_(context), id_(id) {
    last_.phase = GrantPhase::ending;
    if (const auto* holding = find()) {
      last_.initiator = holding->initiator;
      last_.address_bits = holding->address_bits;
      last_.since = holding->since;
    }
    registerAdaptor();
  }
  HoldingObject(const HoldingObject&) = delete;
  HoldingObject& operator=(const HoldingObject&) = delete;
  ~HoldingObject() override { unregisterAdaptor(); }

  void emit_revoking(const std::string& reason, std::chrono::microseconds deadline) override {
    emitRevoking(reason, static_cast<std::uint64_t>(deadline.count()));
  }
  void emit_revoked(const std::string& reason) override { emitRevoked(reason); }

 private:
  void Release(sdbus::Result<>&&, std::map<std::string, sdbus::Variant>) override {
    context_.intake.take(holding_interface, [id = id_](sd_bus_message* call) { return ask_release(call, GrantId{id}); });
  }
  void Revoke(sdbus::Result<>&&, std::string, std::map<std::string, sdbus::Variant>) override {
    context_.intake.take(holding_interface,
                         [this](sd_bus_message* call) { return ask_revoke(call, GrantId{id_}, context_.core); });
  }

  std::string Initiator() override {
    return guard("Initiator", [&] { return record().initiator.to_string(); });
  }
  std::string Backend() override {
    return guard("Backend", [&] { return record().backend; });
  }
  std::string State() override {
    return guard("State", [&] { return to_string(record().phase); });
  }
  std::uint32_t OwnerUid() override {
    return guard("OwnerUid", [&] { return may_see_owner() ? record().owner.uid : hidden_uid; });
  }
  std::uint32_t OwnerPid() override {
    return guard("OwnerPid", [&] { return may_see_owner() ? static_cast<std::uint32_t>(record().owner.pid) : 0U; });
  }
  std::string OwnerUnit() override {
    return guard("OwnerUnit", [&] { return may_see_owner() ? valid_utf8(record().owner.unit) : std::string{}; });
  }
  std::uint64_t SinceUsec() override {
    return guard("SinceUsec", [&] { return static_cast<std::uint64_t>(record().since.count()); });
  }
  std::uint32_t AddressBits() override {
    return guard("AddressBits", [&] { return record().address_bits; });
  }
  std::vector<sdbus::ObjectPath> Mappings() override {
    return guard("Mappings", [&] {
      std::vector<sdbus::ObjectPath> paths;
      for (const auto& [id, mapping] : context_.core.state().mappings)
        if (mapping.holding == id_) paths.emplace_back(path_of(GrantId{id}));
      return paths;
    });
  }

  [[nodiscard]] const Holding* find() const {
    const auto& holdings = context_.core.state().holdings;
    const auto found = holdings.find(id_);
    return found == holdings.end() ? nullptr : &found->second;
  }
  // Between the end of the holding and that of its object: one getter that fails would fail all of GetManagedObjects.
  [[nodiscard]] const Holding& record() const {
    const auto* holding = find();
    return holding == nullptr ? last_ : *holding;
  }
  // Nobody looks when we announce by ourselves: then everybody would read it.
  [[nodiscard]] bool may_see_owner() const {
    auto* const message = sd_bus_get_current_message(context_.connection.raw());
    if (message == nullptr || find() == nullptr) return false;
    const auto uid = context_.senders.of(message);
    return uid && (*uid == 0 || *uid == record().owner.uid);
  }

  GrantContext& context_;
  HoldingId id_;
  Holding last_;
};

}  // namespace

std::unique_ptr<GrantObject> make_holding_object(GrantContext& context, HoldingId id) {
  return std::make_unique<HoldingObject>(context, id);
}

std::string to_string(GrantPhase phase) {
  switch (phase) {
    case GrantPhase::opening: return "opening";
    case GrantPhase::active: return "active";
    case GrantPhase::revoking: return "revoking";
    case GrantPhase::ending: return "ending";
  }
  return "unknown";
}

}  // namespace p2pd
