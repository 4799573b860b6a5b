// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/manager.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <tuple>
#include <utility>

#include "bus/grant_requests.h"
#include "bus/guard.h"
#include "bus/lookup.h"
#include "bus/matrix.h"
#include "bus/options.h"
#include "bus/paths.h"
#include "bus/pending.h"
#include "bus/text.h"
#include "bus/verdict_wire.h"
#include "bus/wire.h"
#include "org.p2pd1.Manager-adaptor.h"
#include "platform/kernel_release.h"
#include "topology/topology.h"
#include "verdict/judge.h"

namespace p2pd {

namespace {

constexpr std::uint32_t api_version = 1;

using Variants = std::map<std::string, sdbus::Variant>;
using Texts = std::vector<std::string>;

template <class T>
T value_or_throw(Outcome<T> outcome) {
  if (!outcome) throw to_error(outcome.error());
  return std::move(*outcome);
}

}  // namespace

class Manager::Object final : public sdbus::AdaptorInterfaces<org::p2pd1::Manager_adaptor> {
 public:
  Object(Connection& connection, Announcer& announcer, Intake& intake, const Core& core)
      : AdaptorInterfaces(connection.sdbus(), sdbus::ObjectPath{root_path}),
        bus_(connection.raw()),
        announcer_(announcer),
        intake_(intake),
        core_(core) {
    registerAdaptor();
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() { unregisterAdaptor(); }

  void next_generation() {
    probed_.reset();
    ++generation_;
    announcer_.changed(root_path, manager_interface, {"Generation"});
  }

 private:
  // Only what the table gives to everybody runs without asking who calls.
  template <class Body>
  auto freely(const char* method, Body&& body) {
    return guard(method, [&] {
      const auto* row = find_row(manager_interface, method);
      if (row == nullptr || row->right != Right::everybody)
        throw to_error({ErrorCode::not_permitted, "nobody may call this method: p2pd has no rule for it"});
      return std::forward<Body>(body)();
    });
  }

  // ---- reads, answered at once

  sdbus::ObjectPath GetDeviceByAddress(const std::string& address) override {
    return freely("GetDeviceByAddress",
                  [&] { return sdbus::ObjectPath{path_of(value_or_throw(find_function(core_, address)))}; });
  }

  // Answered by the raw message (verdict_wire.cpp), so the Result is dropped; the guard inside turns errors into sdbus::Error.
  void Check(sdbus::Result<std::string, Variants>&&, std::string initiator, std::string target, Variants) override {
    const auto verdict = freely("Check", [&] {
      auto arguments = read_arguments("ss");
      auto options = arguments.options();
      const auto address_bits = options.address_bits();
      check(options);
      const auto from = value_or_throw(find_function(core_, initiator));
      return core_.check(from, value_or_throw(find_target(core_, target)), address_bits, nullptr);
    });
    Pending(sd_bus_get_current_message(bus_)).answer([&](sd_bus_message* reply) {
      put(reply, std::string(to_string(verdict.answer)));
      put_verdict(reply, verdict);
    });
  }

  std::tuple<Texts, bool> GetReachSet(const std::string& initiator) override {
    return freely("GetReachSet", [&] {
      const auto& machine = core_.machine();
      const auto reach = reach_set(machine, *machine.find(value_or_throw(find_function(core_, initiator))));
      Texts targets;
      for (const auto& target : targets_in(machine, reach)) targets.push_back(target.to_string());
      return std::tuple{std::move(targets), reach.is_complete};
    });
  }

  std::tuple<Texts, Texts, std::vector<std::uint8_t>, Texts> CheckAll(const Variants&) override {
    return freely("CheckAll", [&] {
      auto options = read_arguments("").options();
      const auto initiators = options.texts("initiators");
      const auto targets = options.texts("targets");
      check(options);
      auto matrix = value_or_throw(make_matrix(core_, initiators, targets));
      return std::tuple{std::move(matrix.rows), std::move(matrix.columns), std::move(matrix.cells), std::move(matrix.legend)};
    });
  }

  std::map<std::string, std::uint64_t> GetStatistics() override {
    return freely("GetStatistics", [&] {
      const auto& state = core_.state();
      std::uint64_t bytes = 0;
      for (const auto& [id, mapping] : state.mappings) bytes += mapping.iova.length.value;
      return std::map<std::string, std::uint64_t>{{"functions", core_.machine().functions().size()},
                                                  {"targets", state.targets.size()},
                                                  {"offers", state.offers.size()},
                                                  {"holdings", state.holdings.size()},
                                                  {"mappings", state.mappings.size()},
                                                  {"bytes_mapped", bytes},
                                                  {"requests_in_flight", intake_.in_flight()},
                                                  {"requests_total", intake_.total()},
                                                  {"requests_refused", intake_.refused()}};
    });
  }

  // ---- requests: the intake answers them by the raw message, so the Result is dropped (a dropped one sends nothing)

  void Acquire(sdbus::Result<sdbus::ObjectPath, Variants>&&, std::string, sdbus::UnixFd, Variants) override {
    intake_.take(manager_interface, [this](sd_bus_message* call) { return ask_acquire(call, core_); });
  }
  void MapMemory(sdbus::Result<sdbus::ObjectPath, std::uint64_t>&&, sdbus::ObjectPath, sdbus::UnixFd, std::uint64_t,
                 std::uint64_t, Variants) override {
    intake_.take(manager_interface, [this](sd_bus_message* call) { return ask_map_memory(call, core_); });
  }
  void Map(sdbus::Result<sdbus::ObjectPath, std::uint64_t, std::uint64_t>&&, sdbus::ObjectPath, std::string, Variants) override {
    intake_.take(manager_interface, [this](sd_bus_message* call) { return ask_map(call, core_); });
  }
  void ExportDmaBuf(sdbus::Result<sdbus::ObjectPath>&&, std::string, sdbus::UnixFd, Variants) override {
    intake_.take(manager_interface, [](sd_bus_message* call) { return ask_export_dma_buf(call); });
  }
  void AllocatePeerMemory(sdbus::Result<sdbus::ObjectPath>&&, std::string, std::uint64_t, sdbus::UnixFd, Variants) override {
    intake_.take(manager_interface, [](sd_bus_message* call) { return ask_allocate_peer_memory(call); });
  }
  void Reload(sdbus::Result<>&&) override {
    // A broken file is no mistake of the caller's: the contract says Failed, whatever the reader of the file calls it.
    const auto reload = [this]() -> Outcome<void> {
      if (const auto done = core_.reload(); !done) return refuse(ErrorCode::failed, done.error().text);
      return {};
    };
    intake_.take(manager_interface, [reload](sd_bus_message*) { return Outcome<Ask>{Ask{reload, {}, {}, {}}}; });
  }

  // ---- properties

  std::string Version() override {
    return guard("Version", [] { return std::string{P2PD_VERSION}; });
  }
  std::uint32_t ApiVersion() override {
    return guard("ApiVersion", [] { return api_version; });
  }
  Texts Features() override {
    return guard("Features", [] {
      return Texts{"check",   "enable",     "offer", "bind",           "reset",
                   "acquire", "map-memory", "map",   "export-dma-buf", "allocate-peer-memory"};
    });
  }
  Texts Backends() override {
    return guard("Backends", [&] {
      auto names = probe().value_or(Texts{});
      // No back end of ours: the kernel lends what its drivers registered, where one did.
      const auto& functions = core_.machine().functions();
      const auto has_pool = [](const Function& function) { return function.peer_memory && function.peer_memory->pool; };
      if (std::any_of(functions.begin(), functions.end(), has_pool)) names.emplace_back("p2pmem");
      return names;
    });
  }
  Texts Problems() override {
    return guard("Problems", [&] {
      Texts problems;
      for (const auto& problem : core_.platform().problems) problems.push_back(valid_utf8(problem));
      const auto of_files = problems.size();
      for (const auto& blocker : judge_machine(core_.machine(), core_.platform().tables))
        problems.push_back(valid_utf8(blocker.observed + " (" + blocker.where + ", " + blocker.code +
                                      "); needed: " + blocker.needed + (blocker.remedy.empty() ? "" : ": " + blocker.remedy)));
      // What the back ends say is news only where the machine looks well.
      if (const auto& probed = probe(); !probed && problems.size() == of_files) problems.push_back(error_text(probed.error()));
      return problems;
    });
  }
  std::string Virtualization() override {
    return guard("Virtualization", [&] { return valid_utf8(core_.machine().host().virtualization); });
  }
  std::string KernelRule() override {
    return guard("KernelRule", [&]() -> std::string {
      const auto& host = core_.machine().host();
      if (host.kernel_p2pdma != Tristate::yes) return host.kernel_p2pdma == Tristate::no ? "absent" : "unknown";
      // A newer kernel is judged by the newest table that we have.
      const auto newest = core_.platform().tables.newest_kernel;
      return kernel_name(std::min(parse_kernel_release(host.kernel_release).value_or(newest), newest));
    });
  }
  std::uint64_t Generation() override {
    return guard("Generation", [&] { return generation_; });
  }

  // ---- helpers

  // Opens device files: once for many readers. Short, because what a back end misses (a module) may come without a sign.
  const Outcome<Texts>& probe() {
    constexpr std::chrono::seconds fresh{1};
    const auto now = std::chrono::steady_clock::now();
    if (!probed_ || now - probed_at_ > fresh) {
      probed_ = core_.probe_back_ends();
      probed_at_ = now;
    }
    return *probed_;
  }

  // The message that is being dispatched, behind its first arguments.
  [[nodiscard]] Arguments read_arguments(const char* to_skip) const {
    auto* const call = sd_bus_get_current_message(bus_);
    Arguments arguments{call};
    if (*to_skip != '\0') must(sd_bus_message_skip(call, to_skip), "skip arguments");
    return arguments;
  }
  static void check(const Options& options) {
    if (const auto outcome = options.problem(); !outcome) throw to_error(outcome.error());
  }

  sd_bus* bus_;
  Announcer& announcer_;
  Intake& intake_;
  const Core& core_;
  std::uint64_t generation_ = 1;
  std::optional<Outcome<Texts>> probed_;
  std::chrono::steady_clock::time_point probed_at_;
};

Manager::Manager(Connection& connection, Announcer& announcer, Intake& intake, const Core& core)
    : object_(std::make_unique<Object>(connection, announcer, intake, core)) {}

Manager::~Manager() = default;

void Manager::next_generation() { object_->next_generation(); }

}  // namespace p2pd
