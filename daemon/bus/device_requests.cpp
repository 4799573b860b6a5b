// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/device_requests.h"

#include <grp.h>

#include <array>
#include <cerrno>
#include <utility>

#include "bus/lookup.h"
#include "bus/options.h"
#include "bus/text.h"

namespace p2pd {

namespace {

// bar, offset, length of Enable and Disable. Length 0 stays: to the end of the BAR.
Outcome<TargetName> read_range(Arguments& arguments, const Address& device) {
  const auto bar = arguments.number();
  const auto offset = arguments.large_number();
  const auto length = arguments.large_number();
  if (bar >= bar_count)
    return refuse(ErrorCode::invalid_argument, "BAR " + std::to_string(bar) + " does not exist: BARs are 0 to 5");
  if (const auto range = check_range(offset, length); !range) return error_of(range);
  return TargetName{device, bar, Bytes{offset}, Bytes{length}};
}

Outcome<gid_t> find_group(const std::string& name) {
  std::array<char, 16384> buffer{};
  group entry{};
  group* found = nullptr;
  const int error = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (error != 0 && error != ENOENT && error != ESRCH) return refuse_errno("look up group `" + printable(name) + "`", error);
  if (found == nullptr) return refuse(ErrorCode::invalid_argument, "there is no group `" + printable(name) + "`");
  return found->gr_gid;
}

template <class Driver>
Outcome<Ask> ask_driver(sd_bus_message* call, const Address& device) {
  auto options = Arguments{call}.options();
  const auto force = options.boolean("force").value_or(false);
  const auto group = options.boolean("group").value_or(false);
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  return Ask{Command{Driver{device, force, group}}, {{"device", device.to_string()}}, {}, {}};
}

}  // namespace

Outcome<Ask> ask_enable(sd_bus_message* call, const Address& device) {
  Arguments arguments{call};
  const auto target = read_range(arguments, device);
  auto options = arguments.options();
  const auto exclusive = options.boolean("exclusive").value_or(true);
  const auto access = options.access();
  const auto force = options.boolean("force").value_or(false);
  options.only_text("scrub", "none");
  options.only_false("persistent");
  if (!target) return error_of(target);
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  return Ask{Command{Enable{*target, exclusive, access, force}}, {{"target", target->to_string()}}, {}, {}};
}

Outcome<Ask> ask_disable(sd_bus_message* call, const Address& device) {
  Arguments arguments{call};
  const auto target = read_range(arguments, device);
  auto options = arguments.options();
  const auto force = options.boolean("force").value_or(false);
  const auto grace = options.grace();
  if (!target) return error_of(target);
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  return Ask{Command{Disable{*target, force, grace}}, {{"target", target->to_string()}}, {}, {}};
}

Outcome<Ask> ask_offer(sd_bus_message* call, const Address& device) {
  auto options = Arguments{call}.options();
  auto group = options.text("group").value_or("");
  const auto trusted_firmware = options.boolean("trusted_firmware").value_or(false);
  options.only_false("persistent");
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  Ask ask{Command{Offer{device, std::move(group), 0, trusted_firmware}}, {{"initiator", device.to_string()}}, {}, {}};
  // A directory service may be asked: not for everybody who can send a message.
  ask.complete = [](Command& command) -> Outcome<void> {
    auto& offer = std::get<Offer>(command);
    if (offer.group.empty()) return {};
    const auto gid = find_group(offer.group);
    if (!gid) return error_of(gid);
    offer.gid = *gid;
    return {};
  };
  return ask;
}

Outcome<Ask> ask_withdraw(sd_bus_message* call, const Address& device) {
  auto options = Arguments{call}.options();
  const auto force = options.boolean("force").value_or(false);
  const auto grace = options.grace();
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  return Ask{Command{Withdraw{device, force, grace}}, {{"initiator", device.to_string()}}, {}, {}};
}

Outcome<Ask> ask_bind(sd_bus_message* call, const Address& device) { return ask_driver<BindDriver>(call, device); }

Outcome<Ask> ask_unbind(sd_bus_message* call, const Address& device) { return ask_driver<UnbindDriver>(call, device); }

Outcome<Ask> ask_reset(sd_bus_message* call, const Address& device) {
  auto options = Arguments{call}.options();
  const auto force = options.boolean("force").value_or(false);
  const auto grace = options.grace();
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  return Ask{Command{Reset{device, force, grace}}, {{"device", device.to_string()}}, {}, {}};
}

}  // namespace p2pd
