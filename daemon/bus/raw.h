// SPDX-License-Identifier: LGPL-2.1-or-later
//
// References to objects of sd-bus and sd-event that drop themselves.
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <memory>

namespace p2pd {

template <auto Drop>
struct Dropper {
  template <class T>
  void operator()(T* object) const {
    Drop(object);
  }
};

using MessageRef = std::unique_ptr<sd_bus_message, Dropper<sd_bus_message_unref>>;
using SlotRef = std::unique_ptr<sd_bus_slot, Dropper<sd_bus_slot_unref>>;
// Disabled first: a source that is being dispatched has a reference of its own and would run again.
using SourceRef = std::unique_ptr<sd_event_source, Dropper<sd_event_source_disable_unref>>;

[[nodiscard]] inline MessageRef keep(sd_bus_message* message) { return MessageRef{sd_bus_message_ref(message)}; }

}  // namespace p2pd
