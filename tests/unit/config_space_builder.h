// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Config space as hardware would show it: a header, then capabilities appended in the order of the calls.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/address.h"

namespace p2pd::test {

class ConfigSpaceBuilder {
 public:
  ConfigSpaceBuilder();

  ConfigSpaceBuilder& ids(std::uint16_t vendor, std::uint16_t device);
  ConfigSpaceBuilder& subsystem(std::uint16_t vendor, std::uint16_t device);
  ConfigSpaceBuilder& class_code(std::uint32_t code, std::uint8_t revision = 0);
  ConfigSpaceBuilder& command(std::uint16_t value);  // 2 = memory decode, 4 = bus master
  ConfigSpaceBuilder& multifunction();
  ConfigSpaceBuilder& bar32(unsigned index, std::uint32_t address, bool prefetchable = false);
  ConfigSpaceBuilder& bar64(unsigned index, std::uint64_t address, bool prefetchable = true);
  ConfigSpaceBuilder& io_bar(unsigned index, std::uint32_t port);
  ConfigSpaceBuilder& bridge(std::uint8_t primary, std::uint8_t secondary, std::uint8_t subordinate);
  ConfigSpaceBuilder& memory_window(std::uint32_t begin, std::uint32_t last);
  ConfigSpaceBuilder& prefetchable_window(std::uint64_t begin, std::uint64_t last);

  // Capabilities. `port_type` as in the register: 0 endpoint, 4 root port, 5 upstream, 6 downstream.
  ConfigSpaceBuilder& pcie(unsigned port_type, unsigned speed = 3, unsigned width = 8, unsigned max_speed = 4,
                           unsigned max_width = 16);
  ConfigSpaceBuilder& power(unsigned state);  // 0..3
  ConfigSpaceBuilder& msix(unsigned entries, unsigned table_bar, std::uint32_t table_offset, unsigned pba_bar,
                           std::uint32_t pba_offset);
  // NVIDIA's P2P approval capability, and another vendor's capability.
  ConfigSpaceBuilder& clique(unsigned number);
  ConfigSpaceBuilder& vendor_specific(unsigned length);
  ConfigSpaceBuilder& acs(std::uint16_t capability, std::uint16_t control);
  ConfigSpaceBuilder& ats(bool enabled);
  struct SriovFields {
    bool enabled = true;
    bool memory_decode = true;
    std::uint16_t count = 2;
    std::uint16_t first_offset = 1;
    std::uint16_t stride = 1;
    std::uint16_t device = 0;
    std::uint64_t bar0 = 0;  // 64-bit, prefetchable
  };
  ConfigSpaceBuilder& sriov(const SriovFields& fields);

  ConfigSpaceBuilder& set8(unsigned offset, std::uint8_t value);
  ConfigSpaceBuilder& set16(unsigned offset, std::uint16_t value);
  ConfigSpaceBuilder& set32(unsigned offset, std::uint32_t value);

  [[nodiscard]] std::vector<std::uint8_t> bytes(std::size_t readable = 4096) const;

 private:
  unsigned append(std::uint8_t id, unsigned length);
  unsigned append_extended(std::uint16_t id, unsigned length);

  std::array<std::uint8_t, 4096> bytes_{};
  unsigned next_ = 0x40;
  unsigned last_pointer_ = 0x34;
  unsigned next_extended_ = 0x100;
  unsigned last_extended_ = 0;
};

// As `lspci -xxxx` prints it.
[[nodiscard]] std::string dump_of(const std::string& heading, const std::vector<std::uint8_t>& bytes,
                                  const std::string& details = "");

}  // namespace p2pd::test
