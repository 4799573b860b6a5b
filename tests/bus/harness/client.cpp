// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/client.h"

#include <algorithm>
#include <ostream>
#include <stdexcept>
#include <system_error>

#include "harness/deadline.h"

namespace p2pd::test {

namespace {

constexpr const char* bus_name = "org.p2pd1";
constexpr const char* root = "/org/p2pd1";
constexpr std::string_view error_prefix = "org.p2pd1.Error.";

void must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

Answer read_answer(sd_bus_message* reply) {
  const auto* error = sd_bus_message_get_error(reply);
  if (error == nullptr) return {.error = "", .text = "", .body = read_body(reply)};
  std::string name = error->name;
  if (name.starts_with(error_prefix)) name.erase(0, error_prefix.size());
  return {.error = name, .text = error->message == nullptr ? "" : error->message, .body = {}};
}

int on_answer(sd_bus_message* reply, void* userdata, sd_bus_error*) {
  **static_cast<Client::Ticket*>(userdata) = read_answer(reply);
  return 1;
}

// Answered or not: a connection that goes before the answer comes drops it too.
void drop_ticket(void* userdata) { delete static_cast<Client::Ticket*>(userdata); }

// ADDRESS:BAR[:OFFSET+LENGTH] as the arguments of Enable and Disable.
struct Range {
  std::string address;
  std::uint32_t bar = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

Range parse_target(const std::string& text) {
  const auto dot = text.find('.');
  const auto bar = text.find(':', dot);
  const auto offset = text.find(':', bar + 1);
  Range range{.address = text.substr(0, bar), .bar = static_cast<std::uint32_t>(std::stoul(text.substr(bar + 1)))};
  if (offset == std::string::npos) return range;
  range.offset = std::stoull(text.substr(offset + 1), nullptr, 0);
  range.length = std::stoull(text.substr(text.find('+', offset) + 1), nullptr, 0);
  return range;
}

}  // namespace

const Value& Answer::granted() const {
  if (!error.empty()) throw std::runtime_error("refused: " + error + ": " + text);
  return body;
}

std::ostream& operator<<(std::ostream& stream, const Answer& answer) {
  if (answer.error.empty()) return stream << answer.body;
  return stream << answer.error << ": " << answer.text;
}

Client::Client(const PrivateBus& bus, uid_t uid, const std::set<gid_t>& groups) : bus_(bus.connect(uid, groups)) {
  must(sd_bus_add_match(bus_, nullptr, "type='signal',path_namespace='/org/p2pd1'", on_signal, this), "sd_bus_add_match");
}

Client::~Client() { vanish(); }

// Without flush: who is killed says nothing more.
void Client::vanish() {
  if (bus_ != nullptr) sd_bus_close(bus_);
  bus_ = sd_bus_unref(bus_);
}

int Client::on_signal(sd_bus_message* message, void* self, sd_bus_error*) {
  static_cast<Client*>(self)->signals_.push_back(
      {.path = sd_bus_message_get_path(message),
       .name = std::string(sd_bus_message_get_interface(message)) + "." + sd_bus_message_get_member(message),
       .body = read_body(message)});
  return 0;
}

template <class Condition>
void Client::pump_until(const std::string& what, Condition condition) {
  const Deadline deadline;
  while (!condition()) {
    const int worked = sd_bus_process(bus_, nullptr);
    must(worked, "sd_bus_process");
    if (worked == 0) (void)sd_bus_wait(bus_, static_cast<std::uint64_t>(deadline.left(what).count()));
  }
}

void Client::send_signal(const Call& what) {
  const auto dot = what.method.rfind('.');
  sd_bus_message* message = nullptr;
  must(sd_bus_message_new_signal(bus_, &message, what.path.c_str(), what.method.substr(0, dot).c_str(),
                                 what.method.substr(dot + 1).c_str()),
       "sd_bus_message_new_signal");
  const std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> owned(message, sd_bus_message_unref);
  append(message, what.arguments);
  must(sd_bus_send_to(bus_, message, bus_name, nullptr), "sd_bus_send_to");
}

Client::Ticket Client::start(const Call& what) {
  const auto dot = what.method.rfind('.');
  sd_bus_message* message = nullptr;
  must(sd_bus_message_new_method_call(bus_, &message, what.whom, what.path.c_str(), what.method.substr(0, dot).c_str(),
                                      what.method.substr(dot + 1).c_str()),
       "sd_bus_message_new_method_call");
  const std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> owned(message, sd_bus_message_unref);
  must(sd_bus_message_set_allow_interactive_authorization(message, what.may_interact ? 1 : 0), "set interactive");
  append(message, what.arguments);
  auto ticket = std::make_shared<std::optional<Answer>>();
  auto for_callback = std::make_unique<Ticket>(ticket);
  // A request that p2pd never answers is an answer too, `NoReply`: a test must see it and not hang.
  const auto timeout = std::chrono::duration_cast<std::chrono::microseconds>(patience).count();
  sd_bus_slot* slot = nullptr;
  must(sd_bus_call_async(bus_, &slot, message, on_answer, for_callback.get(), static_cast<std::uint64_t>(timeout)),
       "sd_bus_call_async");
  must(sd_bus_slot_set_destroy_callback(slot, drop_ticket), "sd_bus_slot_set_destroy_callback");
  (void)for_callback.release();
  must(sd_bus_slot_set_floating(slot, 1), "sd_bus_slot_set_floating");
  sd_bus_slot_unref(slot);
  return ticket;
}

const Answer& Client::finish(const Ticket& ticket) {
  pump_until("an answer", [&] { return ticket->has_value(); });
  return **ticket;
}

Answer Client::call(const Call& what) { return finish(start(what)); }
void Client::flush() { must(sd_bus_flush(bus_), "sd_bus_flush"); }

Answer Client::manager(const std::string& method, Arguments arguments) {
  return call({.path = root, .method = "org.p2pd1.Manager." + method, .arguments = std::move(arguments)});
}

Answer Client::check(const std::string& initiator, const std::string& target, const Options& options) {
  return manager("Check", {initiator, target, options});
}
Answer Client::acquire(const std::string& initiator, Fd lease, const Options& options) {
  return manager("Acquire", {initiator, lease, options});
}
Answer Client::acquire(const std::string& initiator, const Lease& lease, const Options& options) {
  return acquire(initiator, lease.theirs(), options);
}
Answer Client::map_memory(const std::string& holding, int memfd, std::uint64_t offset, std::uint64_t length,
                          const Options& options) {
  return manager("MapMemory", {Path{holding}, Fd{memfd}, offset, length, options});
}
Answer Client::map(const std::string& holding, const std::string& target, const Options& options) {
  return manager("Map", {Path{holding}, target, options});
}

Answer Client::on_device(const std::string& address, const std::string& method, Arguments arguments) {
  return call({.path = device(address), .method = "org.p2pd1.Device." + method, .arguments = std::move(arguments)});
}
Answer Client::enable(const std::string& target, const Options& options) {
  const auto range = parse_target(target);
  return on_device(range.address, "Enable", {range.bar, range.offset, range.length, options});
}
Answer Client::disable(const std::string& target, const Options& options) {
  const auto range = parse_target(target);
  return on_device(range.address, "Disable", {range.bar, range.offset, range.length, options});
}
Answer Client::offer(const std::string& address, const Options& options) { return on_device(address, "Offer", {options}); }
Answer Client::withdraw(const std::string& address, const Options& options) { return on_device(address, "Withdraw", {options}); }
Answer Client::bind(const std::string& address, const Options& options) { return on_device(address, "Bind", {options}); }
Answer Client::reset(const std::string& address, const Options& options) { return on_device(address, "Reset", {options}); }
Answer Client::unbind(const std::string& address, const Options& options) { return on_device(address, "Unbind", {options}); }

Answer Client::release(const std::string& grant) {
  return call({.path = grant, .method = interface_of(grant) + ".Release", .arguments = {Options{}}});
}
Answer Client::revoke(const std::string& grant, const std::string& why, const Options& options) {
  return call({.path = grant, .method = interface_of(grant) + ".Revoke", .arguments = {why, options}});
}

std::string Client::interface_of(const std::string& path) {
  if (path.starts_with("/org/p2pd1/holding/")) return "org.p2pd1.Holding";
  if (path.starts_with("/org/p2pd1/mapping/")) return "org.p2pd1.Mapping";
  if (path.starts_with("/org/p2pd1/device/")) return "org.p2pd1.Device";
  return "org.p2pd1.Manager";
}

void Client::ping(const char* whom) {
  (void)call({.path = root, .method = "org.freedesktop.DBus.Peer.Ping", .arguments = {}, .whom = whom}).granted();
}

std::string Client::device(const std::string& address) { return manager("GetDeviceByAddress", {address}).granted()[0].text(); }

Value Client::objects() {
  return call({.path = root, .method = "org.freedesktop.DBus.ObjectManager.GetManagedObjects", .arguments = {}}).granted()[0];
}

std::set<std::string> Client::grants() {
  std::set<std::string> paths;
  const auto all = objects();
  for (const auto& [path, interfaces] : all.dict())
    if (interfaces.contains("org.p2pd1.Holding") || interfaces.contains("org.p2pd1.Mapping")) paths.insert(path);
  return paths;
}

Value Client::properties(const std::string& path) {
  return call({.path = path, .method = "org.freedesktop.DBus.Properties.GetAll", .arguments = {interface_of(path)}}).granted()[0];
}

Value Client::statistics() { return manager("GetStatistics", {}).granted()[0]; }

Signal Client::expect_signal(const std::string& path, const std::string& name, const Test& fits) {
  auto found = signals_.end();
  pump_until("signal " + name + " of " + path, [&] {
    found = std::find_if(signals_.begin(), signals_.end(),
                         [&](const Signal& signal) { return signal.path == path && signal.name == name && fits(signal.body); });
    return found != signals_.end();
  });
  auto signal = std::move(*found);
  signals_.erase(found);
  return signal;
}

Value Client::expect_added(const std::string& path) {
  return expect_signal(root, "org.freedesktop.DBus.ObjectManager.InterfacesAdded",
                       [&](const Value& body) { return body[0] == path; })
      .body[1];
}

void Client::expect_removed(const std::string& path) {
  (void)expect_signal(root, "org.freedesktop.DBus.ObjectManager.InterfacesRemoved",
                      [&](const Value& body) { return body[0] == path; });
}

Value Client::expect_changed(const std::string& path, const std::string& property, const Test& fits) {
  return expect_signal(path, "org.freedesktop.DBus.Properties.PropertiesChanged",
                       [&](const Value& body) { return body[1].contains(property) && fits(body[1][property]); })
      .body[1][property];
}

const std::deque<Signal>& Client::signals() {
  while (sd_bus_process(bus_, nullptr) > 0) continue;
  return signals_;
}

}  // namespace p2pd::test
