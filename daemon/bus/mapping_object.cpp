// SPDX-License-Identifier: LGPL-2.1-or-later
#include <utility>

#include "bus/grant_objects.h"
#include "bus/grant_requests.h"
#include "bus/guard.h"
#include "bus/paths.h"
#include "org.p2pd1.Mapping-adaptor.h"

namespace p2pd {

namespace {

class MappingObject final : public GrantObject, public sdbus::AdaptorInterfaces<org::p2pd1::Mapping_adaptor> {
 public:
  MappingObject(GrantContext& context, MappingId id)
      : AdaptorInterfaces(context.connection.sdbus(), sdbus::ObjectPath{path_of(GrantId{id})}), context_(context), id_(id) {
    const auto& mappings = context_.core.state().mappings;
    if (const auto found = mappings.find(id_); found != mappings.end()) last_ = found->second;
    last_.phase = GrantPhase::ending;
    registerAdaptor();
  }
  MappingObject(const MappingObject&) = delete;
  MappingObject& operator=(const MappingObject&) = delete;
  ~MappingObject() override { unregisterAdaptor(); }

  [[nodiscard]] std::optional<HoldingId> holding() const override { return last_.holding; }
  void emit_revoking(const std::string& reason, std::chrono::microseconds deadline) override {
    emitRevoking(reason, static_cast<std::uint64_t>(deadline.count()));
  }
  void emit_revoked(const std::string& reason) override { emitRevoked(reason); }

 private:
  void Release(sdbus::Result<>&&, std::map<std::string, sdbus::Variant>) override {
    context_.intake.take(mapping_interface, [id = id_](sd_bus_message* call) { return ask_release(call, GrantId{id}); });
  }
  void Revoke(sdbus::Result<>&&, std::string, std::map<std::string, sdbus::Variant>) override {
    context_.intake.take(mapping_interface,
                         [this](sd_bus_message* call) { return ask_revoke(call, GrantId{id_}, context_.core); });
  }

  sdbus::ObjectPath Holding() override {
    return guard("Holding", [&] { return sdbus::ObjectPath{record().holding ? path_of(*record().holding) : "/"}; });
  }
  std::string Kind() override {
    return guard("Kind", [&] {
      if (!record().holding) return std::string{record().pool ? "peer-memory" : "dma-buf"};
      return std::string{record().target ? "peer" : "memory"};
    });
  }
  std::string Target() override {
    return guard("Target", [&] { return record().target ? record().target->to_string() : std::string{}; });
  }
  std::uint64_t Cookie() override {
    return guard("Cookie", [&] { return record().iova.begin.value; });
  }
  std::uint64_t Length() override {
    return guard("Length", [&] { return record().iova.length.value; });
  }
  std::string Access() override {
    return guard("Access", [&] { return to_string(record().access); });
  }
  std::string Route() override {
    return guard("Route", [&] { return to_string(record().target ? record().route : p2pd::Route::none); });
  }
  std::string State() override {
    return guard("State", [&] { return to_string(record().phase); });
  }
  bool OwnLease() override {
    return guard("OwnLease", [&] { return record().has_own_lease; });
  }

  // Between the end of the mapping and that of its object: one getter that fails would fail all of GetManagedObjects.
  [[nodiscard]] const Mapping& record() const {
    const auto& mappings = context_.core.state().mappings;
    const auto found = mappings.find(id_);
    return found == mappings.end() ? last_ : found->second;
  }

  GrantContext& context_;
  MappingId id_;
  Mapping last_;
};

}  // namespace

std::unique_ptr<GrantObject> make_mapping_object(GrantContext& context, MappingId id) {
  return std::make_unique<MappingObject>(context, id);
}

}  // namespace p2pd
