// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the config space of a function says, decoded from its bytes. Pure: the same for the live machine, a dump and
// tests. The bytes are hostile (a dump from anywhere, a device that lies): no list is trusted to end, and what could
// not be read is unknown, never absent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/address.h"
#include "model/function.h"

namespace p2pd {

// Dwords of a config space; offset is a multiple of 4 below 4096. Nothing: it cannot be read.
class ConfigSpace {
 public:
  virtual ~ConfigSpace() = default;
  [[nodiscard]] virtual std::optional<std::uint32_t> read_dword(unsigned offset) const = 0;
};

// The first bytes of a config space, as many as could be read: 64, 256, 4096 or any other number.
class ConfigBytes final : public ConfigSpace {
 public:
  explicit ConfigBytes(std::span<const std::uint8_t> readable) : readable_(readable) {}
  [[nodiscard]] std::optional<std::uint32_t> read_dword(unsigned offset) const override;

 private:
  std::span<const std::uint8_t> readable_;
};

// Single Root I/O Virtualization, PCIe 6.0 §9.3.3: what a PF says about its VFs, because the VFs themselves do not.
struct Sriov {
  bool is_enabled = false;
  bool memory_decode = false;  // VF MSE: one bit for all VFs
  bool sends_ten_bit_tags = false;
  std::uint16_t count = 0;  // NumVFs
  std::uint16_t first_offset = 0;
  std::uint16_t stride = 0;
  std::uint16_t device = 0;  // the VFs' device id; their own register reads 0xffff
  std::vector<Bar> bars;     // of the first VF, without sizes

  bool operator==(const Sriov&) const = default;
};

struct ConfigFacts {
  // False: nothing could be read, or all bits are one (gone, or asleep without power). Then nothing else is known.
  bool responds = false;
  // Both ids of a VF read 0xffff.
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::uint16_t subsystem_vendor = 0;
  std::uint16_t subsystem_device = 0;
  std::uint8_t revision = 0;
  std::uint32_t class_code = 0;
  bool is_multifunction = false;  // the header's bit
  std::optional<bool> memory_decode;
  std::optional<bool> bus_master;
  std::vector<Bar> bars;  // registers that hold something; without sizes and CPU addresses
  std::optional<BridgeWindows> bridge;

  PortType port_type = PortType::unknown;
  Link link;
  PowerState power_state = PowerState::unknown;
  std::optional<MsixLocation> msix;
  bool has_unread_capabilities = false;
  Acs acs;
  std::optional<std::uint8_t> port_number;
  std::optional<std::uint16_t> max_payload;
  std::optional<AtomicOps> atomic_ops;
  std::optional<bool> sends_ten_bit_tags;
  std::optional<bool> completes_ten_bit_tags;
  std::optional<bool> ats_enabled;
  bool has_ats = false;
  std::optional<std::uint8_t> clique;
  std::optional<Sriov> sriov;

  bool operator==(const ConfigFacts&) const = default;
};

[[nodiscard]] ConfigFacts decode_config(const ConfigSpace& space);

// Everything but ids, class and BARs: those have better sources on a live machine.
void take_config_facts(Function& function, const ConfigFacts& facts);

// The registers at `offset`, up to `count` of them, as BARs of the indices 0 and up.
[[nodiscard]] std::vector<Bar> decode_bars(const ConfigSpace& space, unsigned offset, unsigned count);

// Fills in what the capability lists say.
void decode_capabilities(const ConfigSpace& space, ConfigFacts& facts);
void decode_extended_capabilities(const ConfigSpace& space, ConfigFacts& facts);

// The number of the VF that `candidate` is among those of `physical`, or nothing when it is none of them.
[[nodiscard]] std::optional<unsigned> virtual_function_index(const Address& physical, const Sriov& sriov,
                                                             const Address& candidate);

// Gives VF number `index` what its PF knows about it: memory enable, tags and bus addresses. Sizes must be there already.
void complete_virtual_function(Function& function, const Sriov& sriov, unsigned index);

}  // namespace p2pd
