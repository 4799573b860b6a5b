// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/grant_requests.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "arbiter/terms.h"
#include "bus/lookup.h"
#include "bus/options.h"
#include "bus/paths.h"
#include "bus/text.h"
#include "bus/verdict_wire.h"
#include "effects/lease.h"
#include "effects/memfd.h"

namespace p2pd {

namespace {

constexpr std::size_t longest_why = 256;

Outcome<Ask> not_built(const char* what) {
  return refuse(ErrorCode::not_supported, std::string{what} + " is not built yet in this version");
}

Outcome<std::optional<Lease>> own_lease(std::optional<ForeignFd> socket) {
  if (!socket) return std::optional<Lease>{};
  auto lease = check_lease(std::move(*socket));
  if (!lease) return error_of(lease);
  return std::optional<Lease>{std::move(*lease)};
}

Outcome<HoldingId> parse_holding(const std::string& path) {
  const auto id = holding_at(path);
  if (!id) return refuse(ErrorCode::not_found, "there is no holding at `" + printable(path) + "`");
  return *id;
}

// What polkit and the journal are told of a mapping that is asked for.
void describe_holding(Ask& ask, const Core& core, HoldingId id) {
  const auto& holdings = core.state().holdings;
  if (const auto holding = holdings.find(id); holding != holdings.end())
    ask.details["initiator"] = holding->second.initiator.to_string();
}

// And whether its route needs an action of its own. The arbiter judges again when the request reaches it, and looks whether
// that action was granted.
void describe_route(Ask& ask, const Core& core, HoldingId id, const TargetName& target) {
  const auto& holdings = core.state().holdings;
  const auto holding = holdings.find(id);
  if (holding == holdings.end()) return;
  const auto verdict = core.check(holding->second.initiator, target, holding->second.address_bits, &holding->second);
  ask.details["verdict"] = summary_of(verdict);
  if (verdict.route == Route::switched) ask.actions.push_back(Action::switch_route);
}

}  // namespace

Outcome<Ask> ask_acquire(sd_bus_message* call, const Core& core) {
  Arguments arguments{call};
  const auto initiator = parse_function(arguments.text());
  auto socket = arguments.descriptor();
  auto options = arguments.options();
  const auto address_bits = options.address_bits();
  auto backend = options.text("backend");
  options.only_false("wait");
  if (!initiator) return error_of(initiator);
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  auto lease = check_lease(std::move(socket));
  if (!lease) return error_of(lease);
  Ask ask;
  ask.details["initiator"] = initiator->to_string();
  // The arbiter looks again when the request reaches it.
  ask.describe = [&core, initiator = *initiator](Ask& described) {
    const auto* function = core.machine().find(initiator);
    if (function == nullptr) return;
    const auto targets = targets_in_reach(core.machine(), core.state(), *function);
    if (targets.empty()) return;
    described.details["target"] = fmt::format("{}", fmt::join(targets, ", "));
    described.actions.push_back(Action::switch_route);
  };
  ask.takes_process = true;
  ask.what = Command{Acquire{*initiator, std::move(*lease), address_bits, std::move(backend).value_or(""), {}}};
  return ask;
}

Outcome<Ask> ask_map_memory(sd_bus_message* call, const Core& core) {
  Arguments arguments{call};
  const auto path = arguments.path();
  auto memfd = arguments.descriptor();
  const Bytes offset{arguments.large_number()};
  const Bytes length{arguments.large_number()};
  auto options = arguments.options();
  const auto access = options.access().value_or(Access::read_write);
  auto socket = options.descriptor("lease");
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  if (path == "/") return not_built("a mapping in an address space of the client's own");
  if (length.value == 0) return refuse(ErrorCode::invalid_argument, "length must not be 0");
  if (const auto range = check_range(offset.value, length.value); !range) return error_of(range);
  const auto holding = parse_holding(path);
  if (!holding) return error_of(holding);
  if (const auto memory = check_memfd(memfd.get(), offset, length, access); !memory) return error_of(memory);
  auto lease = own_lease(std::move(socket));
  if (!lease) return error_of(lease);
  Ask ask;
  ask.describe = [&core, holding = *holding](Ask& described) { describe_holding(described, core, holding); };
  ask.what = Command{MapMemory{*holding, std::move(memfd), offset, length, access, std::move(*lease)}};
  return ask;
}

Outcome<Ask> ask_map(sd_bus_message* call, const Core& core) {
  Arguments arguments{call};
  const auto path = arguments.path();
  const auto target = parse_target(arguments.text());
  auto options = arguments.options();
  const auto access = options.access();
  const auto cookie = options.large_number("cookie");
  auto backend = options.text("backend");
  auto socket = options.descriptor("lease");
  // Options of an address space that the client brings are known where there is none of ours.
  if (path == "/") {
    (void)options.descriptor("container");
    (void)options.descriptor("iommufd");
    (void)options.number("ioas");
  }
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  if (path == "/") return not_built("a mapping in an address space of the client's own");
  if (!target) return error_of(target);
  if (cookie && !is_page_aligned(*cookie))
    return refuse(ErrorCode::invalid_argument, "option `cookie` must be a multiple of 4096");
  if (cookie && !make_range(Iova{*cookie}, target->length.value == 0 ? page_size : target->length))
    return refuse(ErrorCode::invalid_argument, "option `cookie` and the length together do not fit into 64 bits");
  const auto holding = parse_holding(path);
  if (!holding) return error_of(holding);
  auto lease = own_lease(std::move(socket));
  if (!lease) return error_of(lease);

  Ask ask;
  ask.details["target"] = target->to_string();
  ask.describe = [&core, holding = *holding, target = *target](Ask& described) {
    describe_holding(described, core, holding);
    describe_route(described, core, holding, target);
  };
  MapTarget command{*holding, *target, access, std::nullopt, std::move(backend).value_or(""), std::move(*lease)};
  if (cookie) command.cookie = Iova{*cookie};
  ask.what = Command{std::move(command)};
  return ask;
}

Outcome<Ask> ask_export_dma_buf(sd_bus_message* call) {
  Arguments arguments{call};
  const auto target = parse_target(arguments.text());
  auto socket = arguments.descriptor();
  const auto problem = arguments.options().problem();
  if (!problem) return error_of(problem);
  if (!target) return error_of(target);
  auto lease = check_lease(std::move(socket));
  if (!lease) return error_of(lease);
  return Ask{Command{ExportDmaBuf{*target, std::move(*lease)}}, {{"target", target->to_string()}}, {}, {}};
}

Outcome<Ask> ask_allocate_peer_memory(sd_bus_message* call) {
  Arguments arguments{call};
  const auto target = parse_target(arguments.text());
  const auto length = arguments.large_number();
  auto socket = arguments.descriptor();
  const auto problem = arguments.options().problem();
  if (!problem) return error_of(problem);
  if (!target) return error_of(target);
  if (length == 0) return refuse(ErrorCode::invalid_argument, "length must not be 0");
  if (const auto range = check_range(0, length); !range) return error_of(range);
  auto lease = check_lease(std::move(socket));
  if (!lease) return error_of(lease);
  return Ask{Command{AllocatePeerMemory{*target, Bytes{length}, std::move(*lease)}}, {{"target", target->to_string()}}, {}, {}};
}

Outcome<Ask> ask_release(sd_bus_message* call, GrantId grant) {
  if (const auto problem = Arguments{call}.options().problem(); !problem) return error_of(problem);
  return Ask{Command{Release{grant}}, {}, {}, {}};
}

Outcome<Ask> ask_revoke(sd_bus_message* call, GrantId grant, const Core& core) {
  Arguments arguments{call};
  auto why = arguments.text();
  auto options = arguments.options();
  const auto grace = options.grace();
  if (const auto problem = options.problem(); !problem) return error_of(problem);
  if (why.size() > longest_why || has_control_characters(why))
    return refuse(ErrorCode::invalid_argument, "`why` must be one line of at most 256 bytes");
  Ask ask;
  const auto& state = core.state();
  if (const auto* id = std::get_if<HoldingId>(&grant)) {
    if (const auto holding = state.holdings.find(*id); holding != state.holdings.end())
      ask.details["initiator"] = holding->second.initiator.to_string();
  } else if (const auto mapping = state.mappings.find(std::get<MappingId>(grant)); mapping != state.mappings.end()) {
    const auto& target = mapping->second.target;
    if (target) ask.details["target"] = target->to_string();
  }
  ask.what = Command{Revoke{grant, std::move(why), grace}};
  return ask;
}

}  // namespace p2pd
