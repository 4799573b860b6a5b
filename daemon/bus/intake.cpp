// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/intake.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "bus/errors.h"
#include "bus/guard.h"
#include "bus/paths.h"
#include "bus/text.h"
#include "effects/journal.h"

namespace p2pd {

namespace {

constexpr auto all_actions = {
    Action::enable_target,     Action::offer_initiator, Action::bind_driver,          Action::revoke,  Action::switch_route,
    Action::own_address_space, Action::export_dma_buf,  Action::allocate_peer_memory, Action::acquire, Action::map};

const char* method_of(sd_bus_message* call) {
  const char* member = sd_bus_message_get_member(call);
  return member == nullptr ? "" : member;
}

std::string subject_of(const std::string& interface, sd_bus_message* call, const Details& details) {
  std::string subject = printable(method_of(call));
  if (const auto device = details.find("device"); device != details.end())
    subject += " " + device->second;
  else if (interface == holding_interface || interface == mapping_interface)
    subject += std::string{" "} + (sd_bus_message_get_path(call) + std::strlen(root_path) + 1);
  return subject;
}

LineLimit::Time steady_now() {
  return std::chrono::duration_cast<LineLimit::Time>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

void Intake::take(const char* interface, const Parse& parse) noexcept {
  sd_bus_message* const call = sd_bus_get_current_message(calls_.bus());
  if (call == nullptr) return;  // only a mistake of ours: handlers run while their message is dispatched
  Pending reply{call};
  try {
    start(reply, interface, parse);
  } catch (...) {
    reply.refuse(reason_of_exception(method_of(call)));
  }
}

void Intake::start(Pending& reply, const char* interface, const Parse& parse) {
  ++total_;
  sd_bus_message* const call = reply.call();
  // The interface of the object, not of the message: a message may leave it out.
  const auto* row = find_row(interface, method_of(call));
  if (row == nullptr)
    return refuse_message(reply, interface, {ErrorCode::not_permitted, "nobody may call this method: p2pd has no rule for it"});
  auto ask = parse(call);
  if (!ask) return refuse_message(reply, interface, ask.error());
  const RequestId id{next_id_++};
  identify(calls_, call, [this, id](Outcome<Caller> caller) { go_on(id, [&] { on_caller(id, std::move(caller)); }); });
  auto subject = subject_of(interface, call, ask->details);
  errands_.emplace(id, Errand{std::move(reply), std::move(subject), row, std::move(*ask), {}, {}});
}

void Intake::go_on(RequestId id, const std::function<void()>& step) {
  try {
    step();
  } catch (...) {
    refuse(id, reason_of_exception("request"));
  }
}

void Intake::on_caller(RequestId id, Outcome<Caller> caller) {
  auto& errand = errands_.at(id);
  if (!caller) return refuse(id, caller.error());
  errand.caller = std::move(*caller);
  errand.place = take_place(errand.caller.euid);
  if (!errand.place)
    return refuse(id, {ErrorCode::quota_exceeded, "this user has " + std::to_string(core_.requests_per_uid()) +
                                                      " requests in flight, which is the limit: wait for one to be answered"});
  if (errand.ask.describe) errand.ask.describe(errand.ask);
  const auto& row = *errand.row;
  if (errand.caller.euid == 0) {
    errand.caller.granted = all_actions;
    return submit(id);
  }
  if (row.right == Right::owner || row.right == Right::everybody) return submit(id);
  if (row.right != Right::polkit || !row.action)
    return refuse(id, {ErrorCode::not_permitted, "only root may call " + std::string{row.method}});
  std::vector<Action> actions{*row.action};
  actions.insert(actions.end(), errand.ask.actions.begin(), errand.ask.actions.end());
  authority_.ask(errand.caller, actions, errand.ask.details, [this, id, actions](Outcome<void> outcome) {
    go_on(id, [&] { on_authority(id, actions, std::move(outcome)); });
  });
}

void Intake::on_authority(RequestId id, const std::vector<Action>& asked, Outcome<void> outcome) {
  if (!outcome) return refuse(id, outcome.error());
  errands_.at(id).caller.granted = {asked.begin(), asked.end()};
  submit(id);
}

void Intake::submit(RequestId id) {
  auto& errand = errands_.at(id);
  if (const auto* here = std::get_if<Ask::Here>(&errand.ask.what)) {
    const auto outcome = (*here)();
    if (!outcome) return refuse(id, outcome.error());
    errand.reply.answer(ReplyValue{});
    errands_.erase(id);
    return;
  }
  auto& command = std::get<Command>(errand.ask.what);
  if (errand.ask.complete) {
    if (const auto outcome = errand.ask.complete(command); !outcome) return refuse(id, outcome.error());
  }
  if (!errand.ask.takes_process) return give_to_arbiter(id);
  identify_process(calls_, errand.caller, [this, id](UniqueFd process) {
    go_on(id, [&] {
      std::get<Acquire>(std::get<Command>(errands_.at(id).ask.what)).process = std::move(process);
      give_to_arbiter(id);
    });
  });
}

void Intake::give_to_arbiter(RequestId id) {
  auto& errand = errands_.at(id);
  core_.submit(Request{id, errand.caller, std::move(std::get<Command>(errand.ask.what))});
}

void Intake::answer(const Reply& reply) {
  if (!reply.outcome) return refuse(reply.request, reply.outcome.error());
  auto node = errands_.extract(reply.request);
  if (node.empty()) return spdlog::error("request {} was answered twice, or never asked", reply.request.value);
  node.mapped().reply.answer(reply.outcome);
}

bool Intake::is_waiting(std::string_view sender) const {
  return std::any_of(errands_.begin(), errands_.end(), [&](const auto& entry) {
    const char* name = sd_bus_message_get_sender(entry.second.reply.call());
    return name != nullptr && sender == name;
  });
}

void Intake::refuse(RequestId id, const Reason& reason) {
  auto node = errands_.extract(id);
  if (node.empty()) return spdlog::error("request {} was answered twice, or never asked", id.value);
  ++refused_;
  write_line(node.mapped(), reason);
  node.mapped().reply.refuse(reason);
}

void Intake::refuse_message(Pending& reply, const char* interface, const Reason& reason) {
  ++refused_;
  const char* sender = sd_bus_message_get_sender(reply.call());
  const std::string name = sender == nullptr ? "" : sender;
  write_line(name, {.what = Journal::What::refused,
                    .subject = subject_of(interface, reply.call(), {}),
                    .uid = Caller{}.euid,
                    .text = "asked by " + name + ": " + reason.text});
  reply.refuse(reason);
}

void Intake::write_line(const Errand& errand, const Reason& reason) {
  const auto detail = [&](const char* name) {
    const auto found = errand.ask.details.find(name);
    return found == errand.ask.details.end() ? std::string{} : found->second;
  };
  write_line(errand.caller.sender, {.what = Journal::What::refused,
                                    .subject = errand.subject,
                                    .initiator = detail("initiator"),
                                    .target = detail("target"),
                                    .uid = errand.caller.euid,
                                    .pid = errand.caller.pid,
                                    .unit = errand.caller.unit,
                                    .text = reason.text});
}

void Intake::write_line(const std::string& sender, const Journal& line) {
  const auto turn = lines_.next(sender, steady_now());
  if (turn.left_out != 0) spdlog::warn("{} refusals before this one are not in the journal: too many in a minute", turn.left_out);
  if (turn.write) write_journal(line);
}

std::unique_ptr<Intake::Place> Intake::take_place(uid_t uid) {
  const auto taken = places_.find(uid);
  if ((taken == places_.end() ? 0 : taken->second) >= core_.requests_per_uid()) return nullptr;
  return std::make_unique<Place>(places_, uid);
}

}  // namespace p2pd
