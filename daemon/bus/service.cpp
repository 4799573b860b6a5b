// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/service.h"

#include <map>
#include <string_view>
#include <utility>

#include "boot_time.h"
#include "bus/announcer.h"
#include "bus/connection.h"
#include "bus/devices.h"
#include "bus/doorkeeper.h"
#include "bus/errors.h"
#include "bus/fd_gate.h"
#include "bus/grant_objects.h"
#include "bus/guard.h"
#include "bus/intake.h"
#include "bus/manager.h"
#include "bus/paths.h"

namespace p2pd {

namespace {

const char* interface_of(const GrantId& grant) {
  return std::holds_alternative<HoldingId>(grant) ? holding_interface : mapping_interface;
}

}  // namespace

struct Service::Impl {
  Impl(sd_event* loop, const std::string& bus, Core what)
      : core(std::move(what)),
        fd_gate(loop),
        connection(loop, bus),
        calls(connection.raw()),
        intake(calls, core),
        announcer(loop, connection.raw()),
        doorkeeper(
            connection.raw(), [this] { return count_listed(core.machine()) + objects.size(); },
            [this](std::string_view sender) { return intake.is_waiting(sender); }),
        manager(connection, announcer, intake, core),
        devices(connection.raw(), announcer, intake, core) {
    sd_bus_slot* slot = nullptr;
    must(sd_bus_add_object_manager(connection.raw(), &slot, root_path), "sd_bus_add_object_manager");
    object_manager.reset(slot);
    connection.take_name(bus_name);
  }

  void add(const GrantId& grant) {
    auto& object = objects[grant];
    if (const auto* holding = std::get_if<HoldingId>(&grant))
      object = make_holding_object(grants, *holding);
    else
      object = make_mapping_object(grants, std::get<MappingId>(grant));
    announcer.added(path_of(grant));
    mappings_changed(*object);
  }

  void remove(const GrantId& grant) {
    // Out of the table now, destroyed after its signal: not from inside a handler of its own.
    auto node = objects.extract(grant);
    if (node.empty()) return;
    std::shared_ptr<GrantObject> last{std::move(node.mapped())};
    mappings_changed(*last);
    announcer.removed(path_of(grant), interface_of(grant), [last = std::move(last)]() mutable { last.reset(); });
  }

  void change(const GrantId& grant) {
    if (objects.contains(grant)) announcer.changed(path_of(grant), interface_of(grant), {"State"});
  }

  // A mapping that comes or goes changes the list of the holding that it is on.
  void mappings_changed(const GrantObject& object) {
    const auto holding = object.holding();
    if (holding && objects.contains(*holding)) announcer.changed(path_of(GrantId{*holding}), holding_interface, {"Mappings"});
  }

  // Destroyed from the last to the first: whatever is registered on the connection goes before it.
  Core core;
  FdGate fd_gate;  // before the connection: nothing comes in beside it
  Connection connection;
  Calls calls;
  Intake intake;
  SenderUids senders;
  GrantContext grants{connection, intake, senders, core};
  Announcer announcer;
  std::map<GrantId, std::unique_ptr<GrantObject>> objects;
  Doorkeeper doorkeeper;
  Manager manager;
  Devices devices;
  SlotRef object_manager;
};

Service::Service(sd_event* loop, const std::string& bus, Core core) : impl_(std::make_unique<Impl>(loop, bus, std::move(core))) {}

Service::~Service() = default;

void Service::answer(const Reply& reply) { impl_->intake.answer(reply); }

void Service::announce(const Announce& announcement) {
  if (const auto* device = std::get_if<Address>(&announcement.object)) {
    impl_->devices.state_changed(*device);
    impl_->manager.next_generation();
    return;
  }
  const auto* holding = std::get_if<HoldingId>(&announcement.object);
  const GrantId grant = holding != nullptr ? GrantId{*holding} : GrantId{std::get<MappingId>(announcement.object)};
  switch (announcement.what) {
    case Announce::What::added: return impl_->add(grant);
    case Announce::What::removed: return impl_->remove(grant);
    case Announce::What::changed: return impl_->change(grant);
  }
}

void Service::tell(const Tell& notice) {
  const auto found = impl_->objects.find(notice.grant);
  if (found == impl_->objects.end()) return;
  guard_callback("signal about a revocation", [&] {
    if (notice.what == Tell::What::revoking)
      found->second->emit_revoking(to_string(notice.reason), boot_time() + notice.grace);
    else
      found->second->emit_revoked(to_string(notice.reason));
  });
}

void Service::machine_changed(const Machine& before, const Machine& after) {
  impl_->devices.machine_changed(before, after);
  impl_->manager.next_generation();
}

void Service::verdicts_changed() { impl_->manager.next_generation(); }

unsigned Service::requests_in_flight() const { return impl_->intake.in_flight(); }

}  // namespace p2pd
