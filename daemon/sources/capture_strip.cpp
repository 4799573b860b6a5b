// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "sources/capability_list.h"
#include "sources/capture.h"

namespace p2pd {

namespace {

constexpr std::size_t header_size = 64;

// How much of a capability stays. The others keep what makes the list: id and pointer.
struct Kept {
  std::uint16_t id;
  unsigned length;
};
constexpr std::array kept_capabilities{Kept{capability::power_management, 8}, Kept{capability::bridge_subsystem, 8},
                                       Kept{capability::pcie, 0x3c}, Kept{capability::msix, 12}};
// Resizable BARs: as many as there can be.
constexpr std::array kept_extended{Kept{extended_capability::acs, 40},
                                   Kept{extended_capability::ari, 8},
                                   Kept{extended_capability::ats, 8},
                                   Kept{extended_capability::sriov, 0x40},
                                   Kept{extended_capability::resizable_bar, 0x34},
                                   Kept{extended_capability::vf_resizable_bar, 0x34}};

unsigned length_of(std::span<const Kept> kept, std::uint16_t id, unsigned otherwise) {
  const auto found = std::find_if(kept.begin(), kept.end(), [&](const Kept& one) { return one.id == id; });
  return found == kept.end() ? otherwise : found->length;
}

// With the egress vector where that counts; some of Intel's chipsets have dwords in place of words.
unsigned acs_length(const ConfigSpace& space, unsigned offset) {
  constexpr unsigned without_vector = 12;
  const auto word = space.read_dword(offset + 4).value_or(0);
  if ((word >> 16 & Acs::egress_control) == 0) return without_vector;
  const auto bits = (word >> 8 & 0xff) != 0 ? word >> 8 & 0xff : 256;
  return 8 + (bits + 31) / 32 * 4;
}

class Stripped {
 public:
  explicit Stripped(std::span<const std::uint8_t> config) : config_(config), result_(config.size()) {}

  void keep(std::size_t offset, std::size_t length) {
    for (std::size_t i = offset; i < std::min(offset + length, config_.size()); ++i) result_[i] = config_[i];
  }

  // Not into the next one: there may be less of a capability than there can be.
  void keep(const CapabilityList& list, const CapabilityList::Entry& entry, unsigned length) {
    for (const auto& other : list.entries)
      if (other.offset > entry.offset) length = std::min(length, other.offset - entry.offset);
    keep(entry.offset, length);
  }

  // NVIDIA's P2P clique: eight bytes, of which three spell P2P; hypervisors make it.
  [[nodiscard]] bool is_clique(unsigned offset) const {
    constexpr std::array<std::uint8_t, 4> signature{8, 'P', '2', 'P'};
    return offset + 8 <= config_.size() &&
           std::equal(signature.begin(), signature.end(), config_.begin() + static_cast<std::ptrdiff_t>(offset) + 2);
  }

  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(result_); }

 private:
  std::span<const std::uint8_t> config_;
  std::vector<std::uint8_t> result_;
};

}  // namespace

std::vector<std::uint8_t> strip_config(std::span<const std::uint8_t> config) {
  const ConfigBytes space(config);
  Stripped stripped(config);
  stripped.keep(0, header_size);

  constexpr unsigned link = 2;  // id and pointer
  const auto list = read_capabilities(space);
  for (const auto& entry : list.entries) {
    const bool is_clique = entry.id == capability::vendor_specific && stripped.is_clique(entry.offset);
    stripped.keep(list, entry, is_clique ? 8 : length_of(kept_capabilities, entry.id, link));
  }
  if (list.last != 0) stripped.keep(list.last, link);

  constexpr unsigned extended_link = 4;
  const auto extended = read_extended_capabilities(space);
  for (const auto& entry : extended.entries)
    stripped.keep(extended, entry,
                  entry.id == extended_capability::acs ? acs_length(space, entry.offset)
                                                       : length_of(kept_extended, entry.id, extended_link));
  if (extended.last != 0) stripped.keep(extended.last, extended_link);
  return stripped.take();
}

}  // namespace p2pd
