// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/lookup.h"

#include "bus/text.h"
#include "model/machine.h"

namespace p2pd {

namespace {

Outcome<const Function*> look_up(const Core& core, const Address& address) {
  const auto* function = core.machine().find(address);
  // The client may have seen the uevent before us.
  if (function == nullptr && core.look_again(address)) function = core.machine().find(address);
  if (function == nullptr) return refuse(ErrorCode::not_found, "there is no PCI function " + address.to_string());
  return function;
}

}  // namespace

Outcome<Address> parse_function(const std::string& text) {
  const auto address = Address::parse(text);
  if (!address)
    return refuse(ErrorCode::invalid_argument, "`" + printable(text) + "` is not a PCI address (dddd:bb:dd.f, domain included)");
  return *address;
}

Outcome<void> check_range(std::uint64_t offset, std::uint64_t length) {
  if (!is_page_aligned(offset) || !is_page_aligned(length))
    return refuse(ErrorCode::invalid_argument, "offset and length must be multiples of 4096 bytes");
  if (length != 0 && !make_range(BusAddress{offset}, Bytes{length}))
    return refuse(ErrorCode::invalid_argument, "offset and length together do not fit into 64 bits");
  return {};
}

Outcome<TargetName> parse_target(const std::string& text) {
  const auto target = TargetName::parse(text);
  if (!target)
    return refuse(
        ErrorCode::invalid_argument,
        "`" + printable(text) + "` is not a target (ADDRESS:BAR[:OFFSET+LENGTH], BAR 0 to 5, a range that is not empty)");
  if (const auto range = check_range(target->offset.value, target->length.value); !range)
    return tl::unexpected<Reason>(range.error());
  return *target;
}

Outcome<Address> find_function(const Core& core, const std::string& text) {
  auto address = parse_function(text);
  if (!address) return address;
  if (const auto function = look_up(core, *address); !function) return tl::unexpected<Reason>(function.error());
  return address;
}

Outcome<TargetName> find_target(const Core& core, const std::string& text) {
  auto target = parse_target(text);
  if (!target) return target;
  const auto function = look_up(core, target->device);
  if (!function) return tl::unexpected<Reason>(function.error());
  const auto* bar = (*function)->find_bar(target->bar);
  if (bar == nullptr)
    return refuse(ErrorCode::not_found, target->device.to_string() + " has no BAR " + std::to_string(target->bar));
  const bool size_is_known = bar->size.value != 0;
  const bool is_inside = target->offset.value < bar->size.value && target->length.value <= bar->size.value - target->offset.value;
  if (size_is_known && !is_inside)
    return refuse(ErrorCode::invalid_argument, "the range goes beyond BAR " + std::to_string(target->bar) + " of " +
                                                   target->device.to_string() + ", which has " + std::to_string(bar->size.value) +
                                                   " bytes");
  return target;
}

}  // namespace p2pd
