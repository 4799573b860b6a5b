// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config_space_builder.h"

#include <fmt/format.h>

namespace p2pd::test {

ConfigSpaceBuilder::ConfigSpaceBuilder() { ids(0x8086, 0x1234).command(6); }

ConfigSpaceBuilder& ConfigSpaceBuilder::set8(unsigned offset, std::uint8_t value) {
  bytes_.at(offset) = value;
  return *this;
}

ConfigSpaceBuilder& ConfigSpaceBuilder::set16(unsigned offset, std::uint16_t value) {
  return set8(offset, static_cast<std::uint8_t>(value)).set8(offset + 1, static_cast<std::uint8_t>(value >> 8));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::set32(unsigned offset, std::uint32_t value) {
  return set16(offset, static_cast<std::uint16_t>(value)).set16(offset + 2, static_cast<std::uint16_t>(value >> 16));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::ids(std::uint16_t vendor, std::uint16_t device) {
  return set16(0, vendor).set16(2, device);
}

ConfigSpaceBuilder& ConfigSpaceBuilder::subsystem(std::uint16_t vendor, std::uint16_t device) {
  return set16(0x2c, vendor).set16(0x2e, device);
}

ConfigSpaceBuilder& ConfigSpaceBuilder::class_code(std::uint32_t code, std::uint8_t revision) {
  return set32(0x08, (code << 8) | revision);
}

ConfigSpaceBuilder& ConfigSpaceBuilder::command(std::uint16_t value) { return set16(0x04, value); }

ConfigSpaceBuilder& ConfigSpaceBuilder::multifunction() { return set8(0x0e, bytes_[0x0e] | 0x80); }

ConfigSpaceBuilder& ConfigSpaceBuilder::bar32(unsigned index, std::uint32_t address, bool prefetchable) {
  return set32(0x10 + 4 * index, address | (prefetchable ? 8 : 0));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::bar64(unsigned index, std::uint64_t address, bool prefetchable) {
  set32(0x10 + 4 * index, static_cast<std::uint32_t>(address) | 4 | (prefetchable ? 8 : 0));
  return set32(0x14 + 4 * index, static_cast<std::uint32_t>(address >> 32));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::io_bar(unsigned index, std::uint32_t port) { return set32(0x10 + 4 * index, port | 1); }

ConfigSpaceBuilder& ConfigSpaceBuilder::bridge(std::uint8_t primary, std::uint8_t secondary, std::uint8_t subordinate) {
  class_code(0x060400);
  set8(0x0e, static_cast<std::uint8_t>((bytes_[0x0e] & 0x80) | 1))
      .set8(0x18, primary)
      .set8(0x19, secondary)
      .set8(0x1a, subordinate);
  // Closed windows: base above limit.
  set32(0x20, 0x0000fff0);
  return set32(0x24, 0x0000fff0);
}

ConfigSpaceBuilder& ConfigSpaceBuilder::memory_window(std::uint32_t begin, std::uint32_t last) {
  return set16(0x20, static_cast<std::uint16_t>((begin >> 16) & 0xfff0))
      .set16(0x22, static_cast<std::uint16_t>((last >> 16) & 0xfff0));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::prefetchable_window(std::uint64_t begin, std::uint64_t last) {
  set16(0x24, static_cast<std::uint16_t>(((begin >> 16) & 0xfff0) | 1));
  set16(0x26, static_cast<std::uint16_t>(((last >> 16) & 0xfff0) | 1));
  return set32(0x28, static_cast<std::uint32_t>(begin >> 32)).set32(0x2c, static_cast<std::uint32_t>(last >> 32));
}

unsigned ConfigSpaceBuilder::append(std::uint8_t id, unsigned length) {
  const unsigned offset = next_;
  set8(0x06, bytes_[0x06] | 0x10);
  set8(last_pointer_, static_cast<std::uint8_t>(offset));
  set8(offset, id);
  last_pointer_ = offset + 1;
  next_ += (length + 3) & ~3U;
  return offset;
}

unsigned ConfigSpaceBuilder::append_extended(std::uint16_t id, unsigned length) {
  const unsigned offset = next_extended_;
  set32(offset, 0x10000U | id);
  if (last_extended_ != 0) set16(last_extended_ + 2, static_cast<std::uint16_t>((offset << 4) | 1));
  last_extended_ = offset;
  next_extended_ += (length + 3) & ~3U;
  return offset;
}

ConfigSpaceBuilder& ConfigSpaceBuilder::pcie(unsigned port_type, unsigned speed, unsigned width, unsigned max_speed,
                                             unsigned max_width) {
  const unsigned offset = append(0x10, 0x3c);
  set16(offset + 0x02, static_cast<std::uint16_t>(2 | (port_type << 4)));
  set32(offset + 0x0c, max_speed | (max_width << 4));
  return set16(offset + 0x12, static_cast<std::uint16_t>(speed | (width << 4)));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::power(unsigned state) {
  const unsigned offset = append(0x01, 8);
  return set16(offset + 4, static_cast<std::uint16_t>(state));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::msix(unsigned entries, unsigned table_bar, std::uint32_t table_offset, unsigned pba_bar,
                                             std::uint32_t pba_offset) {
  const unsigned offset = append(0x11, 12);
  set16(offset + 2, static_cast<std::uint16_t>(entries - 1));
  return set32(offset + 4, table_offset | table_bar).set32(offset + 8, pba_offset | pba_bar);
}

ConfigSpaceBuilder& ConfigSpaceBuilder::clique(unsigned number) {
  const unsigned offset = append(0x09, 8);
  return set8(offset + 2, 8)
      .set8(offset + 3, 'P')
      .set8(offset + 4, '2')
      .set8(offset + 5, 'P')
      .set8(offset + 6, static_cast<std::uint8_t>(number << 3));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::vendor_specific(unsigned length) {
  const unsigned offset = append(0x09, length);
  return set8(offset + 2, static_cast<std::uint8_t>(length));
}

ConfigSpaceBuilder& ConfigSpaceBuilder::acs(std::uint16_t capability, std::uint16_t control) {
  const unsigned offset = append_extended(0x000d, 8);
  return set16(offset + 4, capability).set16(offset + 6, control);
}

ConfigSpaceBuilder& ConfigSpaceBuilder::ats(bool enabled) {
  const unsigned offset = append_extended(0x000f, 8);
  return set16(offset + 6, enabled ? 0x8000 : 0);
}

ConfigSpaceBuilder& ConfigSpaceBuilder::sriov(const SriovFields& fields) {
  const unsigned offset = append_extended(0x0010, 0x40);
  set16(offset + 0x08, static_cast<std::uint16_t>((fields.enabled ? 1 : 0) | (fields.memory_decode ? 8 : 0)));
  set16(offset + 0x10, fields.count).set16(offset + 0x14, fields.first_offset).set16(offset + 0x16, fields.stride);
  set16(offset + 0x1a, fields.device);
  if (fields.bar0 == 0) return *this;
  set32(offset + 0x24, static_cast<std::uint32_t>(fields.bar0) | 0xc);
  return set32(offset + 0x28, static_cast<std::uint32_t>(fields.bar0 >> 32));
}

std::vector<std::uint8_t> ConfigSpaceBuilder::bytes(std::size_t readable) const {
  return {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(readable)};
}

std::string dump_of(const std::string& heading, const std::vector<std::uint8_t>& bytes, const std::string& details) {
  auto text = heading + "\n" + details;
  for (std::size_t row = 0; row < bytes.size(); row += 16) {
    text += fmt::format("{:02x}:", row);
    for (std::size_t index = row; index < row + 16 && index < bytes.size(); ++index) text += fmt::format(" {:02x}", bytes[index]);
    text += "\n";
  }
  return text + "\n";
}

}  // namespace p2pd::test
