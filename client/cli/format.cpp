// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/format.h"

#include <fmt/format.h>

#include <array>

namespace p2pclient::cli {

namespace {

std::string speed(std::uint32_t mts, std::uint32_t width) {
  const auto rate = mts % 1000 == 0 ? fmt::format("{}", mts / 1000) : fmt::format("{:.1f}", mts / 1000.0);
  return fmt::format("{} GT/s x{}", rate, width);
}

}  // namespace

std::string hex(std::uint64_t value, int digits) { return fmt::format("0x{:0{}x}", value, digits); }

std::string id(std::uint64_t value, int digits) { return fmt::format("{:0{}x}", value, digits); }

std::string size(std::uint64_t bytes) {
  constexpr std::array units{"", "K", "M", "G", "T", "P"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, units.at(unit));
}

std::string link(const Link& link) {
  const auto most = speed(link.max_speed_mts, link.max_width);
  if (link.speed_mts == 0) return "down, can do " + most;
  const auto now = speed(link.speed_mts, link.width);
  return link.max_speed_mts == 0 || now == most ? now : now + " of " + most;
}

std::string title(const Device& device) {
  const auto vendor = device.vendor_name.empty() ? "vendor " + id(device.vendor, 4) : device.vendor_name;
  const auto name = device.device_name.empty() ? "device " + id(device.device, 4) : device.device_name;
  return vendor + " " + name;
}

std::string class_title(const Device& device) {
  return device.class_name.empty() ? "class " + hex(device.class_code, 6) : device.class_name;
}

std::string kind(const Change& change) {
  struct Kind {
    std::string operator()(const std::monostate&) const { return {}; }
    std::string operator()(const Device&) const { return "function"; }
    std::string operator()(const HoldingInfo&) const { return "holding"; }
    std::string operator()(const MappingInfo&) const { return "mapping"; }
  };
  return std::visit(Kind{}, std::holds_alternative<std::monostate>(change.after) ? change.before : change.after);
}

}  // namespace p2pclient::cli
