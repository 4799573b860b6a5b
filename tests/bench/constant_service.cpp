// SPDX-License-Identifier: LGPL-2.1-or-later
#include "constant_service.h"

#include <systemd/sd-bus.h>

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "benches.h"

namespace p2pd::bench {

namespace {

int must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
  return result;
}

// A message as the calls that make it: taken apart once, so that an answer costs nothing but these.
struct Step {
  enum class Kind : std::uint8_t { open, close, append } kind;
  char type = 0;
  std::string text;  // contents of a container, or the value
  std::uint64_t number = 0;
};

bool is_text(char type) { return type == 's' || type == 'o' || type == 'g'; }

void take_apart(sd_bus_message* message, std::vector<Step>& steps) {
  char type = 0;
  const char* contents = nullptr;
  while (must(sd_bus_message_peek_type(message, &type, &contents), "peek") > 0) {
    if (contents != nullptr) {
      steps.push_back({Step::Kind::open, type, contents});
      must(sd_bus_message_enter_container(message, type, contents), "enter");
      take_apart(message, steps);
      must(sd_bus_message_exit_container(message), "exit");
      steps.push_back({Step::Kind::close});
    } else if (is_text(type)) {
      const char* text = nullptr;
      must(sd_bus_message_read_basic(message, type, static_cast<void*>(&text)), "read");
      steps.push_back({Step::Kind::append, type, text});
    } else {
      Step step{Step::Kind::append, type};
      must(sd_bus_message_read_basic(message, type, &step.number), "read");
      steps.push_back(step);
    }
  }
}

int on_check(sd_bus_message* call, void* userdata, sd_bus_error* /*error*/) {
  const char* initiator = nullptr;
  const char* target = nullptr;
  must(sd_bus_message_read(call, "ss", &initiator, &target), "read");
  sd_bus_message* reply = nullptr;
  must(sd_bus_message_new_method_return(call, &reply), "reply");
  for (const auto& step : *static_cast<const std::vector<Step>*>(userdata)) {
    switch (step.kind) {
      case Step::Kind::open: must(sd_bus_message_open_container(reply, step.type, step.text.c_str()), "open"); break;
      case Step::Kind::close: must(sd_bus_message_close_container(reply), "close"); break;
      case Step::Kind::append: {
        const void* value = is_text(step.type) ? static_cast<const void*>(step.text.c_str()) : &step.number;
        must(sd_bus_message_append_basic(reply, step.type, value), "append");
      }
    }
  }
  const int result = sd_bus_send(nullptr, reply, nullptr);
  sd_bus_message_unref(reply);
  return result < 0 ? result : 1;
}

constexpr sd_bus_vtable vtable[] = {  // NOLINT(*-avoid-c-arrays): sd-bus takes an array
    SD_BUS_VTABLE_START(0), SD_BUS_METHOD("Check", "ssa{sv}", "sa{sv}", on_check, SD_BUS_VTABLE_UNPRIVILEGED), SD_BUS_VTABLE_END};

}  // namespace

void serve_constant(const std::string& address) {
  sd_bus* bus = nullptr;
  must(sd_bus_new(&bus), "sd_bus_new");
  must(sd_bus_set_address(bus, address.c_str()), "address");
  must(sd_bus_set_bus_client(bus, 1), "client");
  must(sd_bus_start(bus), "start");
  sd_bus_message* answer = nullptr;
  must(sd_bus_call_method(bus, "org.p2pd1", "/org/p2pd1", "org.p2pd1.Manager", "Check", nullptr, &answer, "ssa{sv}",
                          some_initiator, some_target, 0),
       "Check");
  std::vector<Step> steps;
  take_apart(answer, steps);
  must(sd_bus_add_object_vtable(bus, nullptr, "/org/p2pd1", "org.p2pd1.Manager", vtable, &steps), "vtable");
  must(sd_bus_request_name(bus, constant_name, 0), "name");
  for (;;)
    if (must(sd_bus_process(bus, nullptr), "process") == 0) must(sd_bus_wait(bus, UINT64_MAX), "wait");
}

}  // namespace p2pd::bench
