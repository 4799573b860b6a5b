// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What Access Control Services of one function do with peer traffic that could turn there, PCIe 6.0 §6.12.
#pragma once

#include <cstdint>

#include "model/function.h"

namespace p2pd {

enum class Turn : std::uint8_t {
  direct,   // to the peer
  up,       // redirected: to the root complex
  blocked,  // an ACS violation: dropped, and answered by an error
  unknown,  // the control, or what it depends on, could not be read
};

// ACS is a thing of PCI Express, and forbidden on bridges to conventional buses: these have none, whatever could be read.
[[nodiscard]] bool has_no_acs(const Function& function);

// Root Port and Downstream Port: what ACS of a switch or of the root complex sits on.
[[nodiscard]] bool is_port(const Function& function);

// A bridge below which everybody sees everything, or maybe does.
[[nodiscard]] bool is_shared_bus_below(const Function& bridge);

// Where `at` (a port that receives it from below, or the function of a device that sends it) lets a request to what is behind
// `towards` go: untranslated, or with an address that the IOMMU translated for the initiator before (ATS).
[[nodiscard]] Turn turn_of_request(const Function& at, const Function& towards);
[[nodiscard]] Turn turn_of_translated(const Function& at, const Function& towards);
// The completions of reads, at the target's side.
[[nodiscard]] Turn turn_of_completion(const Function& at);

}  // namespace p2pd
