// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The terms on which targets are enabled and found again: pure functions over state and machine.
#pragma once

#include "arbiter/state.h"
#include "model/machine.h"
#include "model/reason.h"
#include "model/target_name.h"

namespace p2pd {

// The same target with its length written out (0 = to the end of the BAR). Refused: an unknown function or BAR, an I/O or
// unassigned BAR, a range that is empty, not page-aligned or beyond the end.
[[nodiscard]] Outcome<TargetName> resolved(const Machine& machine, const TargetName& name);

// Whether the pages of the (resolved) target hold the MSI-X table or the pending bit array, or may.
[[nodiscard]] bool holds_msix(const Function& function, const TargetName& name);

// The enabled target in which `name` lies; NotEnabled when there is none.
[[nodiscard]] Outcome<const Target*> enabled_target(const State& state, const Machine& machine, const TargetName& name);

// Where the bytes of a resolved name are on the bus; nothing when that is not known.
[[nodiscard]] std::optional<Range<Iova>> bus_range(const Machine& machine, const TargetName& name);

// A driver of the kernel works on it. Ports do not count: their BARs are configuration of the fabric, and the kernel's own
// group viability leaves them out too (driver_managed_dma).
[[nodiscard]] bool is_driven(const Function& function);

// What of that kind the initiator reaches without passing the IOMMU.
[[nodiscard]] std::vector<std::string> driven_in_reach(const Machine& machine, const Function& initiator);

// Enabled targets that the initiator reaches without passing the IOMMU: who is lent it needs no mapping for them.
[[nodiscard]] std::vector<std::string> targets_in_reach(const Machine& machine, const State& state, const Function& initiator);

// Holdings whose initiator reaches a function past the IOMMU; root's are left out, for root may reach everything.
[[nodiscard]] std::vector<const Holding*> holdings_reaching(const Machine& machine, const State& state, const Address& function);

// Initiators within its reach that are lent to somebody else than `uid`.
[[nodiscard]] std::vector<std::string> lent_to_others_in_reach(const Machine& machine, const State& state,
                                                               const Function& initiator, uid_t uid);

// Targets within its reach that somebody else than `uid` has mapped: past the IOMMU nothing would keep the two apart.
[[nodiscard]] std::vector<std::string> mapped_by_others_in_reach(const Machine& machine, const State& state,
                                                                 const Function& initiator, uid_t uid);

// The bytes of the BAR that a resolved name means.
[[nodiscard]] inline Range<Iova> span_of(const TargetName& name) { return {Iova{name.offset.value}, name.length}; }

}  // namespace p2pd
