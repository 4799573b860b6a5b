// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <utility>

#include "arbiter/arbiter.h"
#include "boot_time.h"
#include "bus/service.h"
#include "bus/service_manager.h"
#include "config.h"
#include "effects/event_source.h"
#include "effects/give_up.h"
#include "effects/journal.h"
#include "effects/runner.h"
#include "effects/take_back_store.h"
#include "platform/files.h"
#include "platform/ports.h"
#include "sources/pictures.h"
#include "sources/source.h"
#include "state/grant_ids.h"
#include "state/lent_pools.h"

namespace p2pd {

namespace {

struct EventLoopDeleter {
  void operator()(sd_event* loop) const { sd_event_unref(loop); }
};
using EventLoop = std::unique_ptr<sd_event, EventLoopDeleter>;

EventLoop make_loop() {
  sd_event* loop = nullptr;
  must_work(sd_event_default(&loop), "sd_event_default");
  return EventLoop(loop);
}

// Defaults and a working service when the file is broken at start; the last good one on reload (design §11).
Config config_at_start(const std::filesystem::path& file) {
  auto config = read_config(file);
  if (config) return std::move(*config);
  spdlog::error("{}; going on with the defaults", config.error().text);
  return {};
}

// Not a copy of a sysfs, nor somebody's private bus.
bool is_this_machine(const DaemonOptions& options) { return options.sysfs_root == "/sys" && options.bus == "system"; }

// An operator's files are beside the configuration.
PlatformPlaces platform_places(const DaemonOptions& options) {
  const auto directory = options.config_file.parent_path();
  return {.shipped = options.platform_files,
          .overrides = directory / "platform.d",
          .operator_peers = directory / "peers.toml",
          .hypervisor_peers = options.sysfs_root / "firmware/qemu_fw_cfg/by_name/opt/org.p2pd/peers/raw"};
}

Machine machine_at_start(const LiveOptions& options) {
  auto machine = read_live_machine(options);
  if (!machine) throw std::runtime_error("cannot read the machine: " + machine.error().text);
  return std::move(*machine);
}

std::set<std::string> names_of(const BackEnds& back_ends) {
  std::set<std::string> names;
  for (const Vfio& each : back_ends) names.insert(each.name());
  return names;
}

class Daemon {
 public:
  Daemon(const DaemonOptions& options, const BackEnds& back_ends, FdStore& store)
      : options_(options),
        config_(config_at_start(options.config_file)),
        live_{.sysfs_root = options.sysfs_root,
              .proc_root = options.proc_root,
              .virtualization = config_.virtualization,
              .hypervisor = is_this_machine(options) ? ask_virtualization() : ""},
        back_ends_(back_ends),
        loop_(make_loop()),
        watch_(start_watch(options)),
        platform_files_(platform_places(options)),
        platform_(read_platform()),
        machine_(std::make_shared<const Machine>(with_known_ports(machine_at_start(live_), platform_.tables))),
        arbiter_({.limits = config_.limits,
                  .first_id = reserve_grant_ids(options.runtime_directory),
                  .backends = names_of(back_ends),
                  .lent_pools = read_lent_pools(options.runtime_directory)},
                 machine_, platform_.tables),
        runner_({.loop = loop_.get(),
                 .back_ends = back_ends,
                 .store = &store,
                 .driver_paths = {.sysfs_root = options.sysfs_root, .proc_root = options.proc_root},
                 .runtime_directory = options.runtime_directory,
                 .post = [this](Event event) { post(std::move(event)); },
                 .path_of = [](const GrantId& grant) { return path_of(grant); }}) {
    add_sources();
    service_.emplace(loop_.get(), options.bus, make_core());
    spdlog::info("p2pd {} serves {} functions on {}", P2PD_VERSION, machine_->functions().size(), options.bus);
    if (const auto works = probe(back_ends); !works) spdlog::warn("nothing can be mapped here: {}", works.error().text);
  }

  int run() {
    sd_event_set_watchdog(loop_.get(), 1);
    sd_notify(0, "READY=1");
    const int status = sd_event_loop(loop_.get());
    must_work(status, "sd_event_loop");
    // Without the bus nobody can ask for anything any more: the next life of the daemon unmaps what this one mapped.
    if (status != 0) spdlog::critical("the connection to the bus has ended");
    return status;
  }

 private:
  // Watch first, enumerate second: what happens in between is seen twice, not never.
  static std::optional<Watch> start_watch(const DaemonOptions& options) {
    if (options.sysfs_root != "/sys") return std::nullopt;
    auto watch = Watch::start();
    if (!watch) {
      spdlog::error("cannot watch for devices that come and go: {}", watch.error().text);
      return std::nullopt;
    }
    return std::move(*watch);
  }

  Core make_core() {
    return {.machine = [this]() -> const Machine& { return *machine_; },
            .state = [this]() -> const State& { return arbiter_.state(); },
            .check = [this](const Address& initiator, const TargetName& target, unsigned address_bits,
                            const Holding* holding) { return arbiter_.check(initiator, target, address_bits, holding); },
            .outlines = [this](std::span<const Address> initiators,
                               std::span<const TargetName> targets) { return arbiter_.outlines(initiators, targets); },
            .submit = [this](Request request) { post(std::move(request)); },
            .look_again =
                [this](const Address& address) {
                  // Anybody may ask: no new picture for what is not there.
                  if (!read_live_function(live_, address, machine_->find(address))) return false;
                  read_again({address});
                  return true;
                },
            .reload = [this] { return reload(); },
            .platform = [this]() -> const PlatformFiles::Reading& { return platform_; },
            .probe_back_ends = [this] { return probe(back_ends_); },
            .requests_per_uid = [this] { return config_.limits.requests; }};
  }

  void add_sources() {
    sd_event_source* queue = nullptr;
    must_work(sd_event_add_defer(
                  loop_.get(), &queue,
                  [](sd_event_source*, void* self) noexcept {
                    return or_give_up("the queue of events", [self] { static_cast<Daemon*>(self)->drain_queue(); });
                  },
                  this),
              "sd_event_add_defer");
    queue_source_.reset(queue);
    must_work(sd_event_source_set_enabled(queue, SD_EVENT_OFF), "sd_event_source_set_enabled");

    add_signal(SIGTERM);
    add_signal(SIGINT);
    add_signal(SIGHUP);

    if (!watch_) return;
    sd_event_source* watch = nullptr;
    must_work(sd_event_add_io(
                  loop_.get(), &watch, watch_->fd(), EPOLLIN,
                  [](sd_event_source*, int, std::uint32_t, void* self) noexcept {
                    return or_give_up("devices that come and go", [self] { static_cast<Daemon*>(self)->on_devices_changed(); });
                  },
                  this),
              "sd_event_add_io");
    watch_source_.reset(watch);
  }

  // The signals must be blocked in every thread, so before the worker starts: main() did that.
  void add_signal(int number) {
    must_work(sd_event_add_signal(
                  loop_.get(), nullptr, number,
                  [](sd_event_source*, const signalfd_siginfo* info, void* self) noexcept {
                    return or_give_up("a signal",
                                      [=] { static_cast<Daemon*>(self)->on_signal(static_cast<int>(info->ssi_signo)); });
                  },
                  this),
              "sd_event_add_signal");
  }

  void on_signal(int number) {
    if (number == SIGHUP) return reload_on_signal();
    spdlog::info("stopping: giving everything back");
    sd_notify(0, "STOPPING=1");
    post(StopRequested{});
  }

  void reload_on_signal() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1000).c_str());
    static_cast<void>(reload());  // what was wrong is in the log
    sd_notify(0, "READY=1");
  }

  Outcome<void> reload() {
    auto config = read_config(options_.config_file);
    if (!config) {
      spdlog::error("{}; keeping the configuration as it was", config.error().text);
      return tl::unexpected(config.error());
    }
    config_ = std::move(*config);
    arbiter_.set_limits(config_.limits);
    live_.virtualization = config_.virtualization;
    use_platform(read_platform());
    read_everything_again();
    spdlog::info("configuration read again");
    return {};
  }

  PlatformFiles::Reading read_platform() {
    auto reading = platform_files_.read();
    for (const auto& problem : reading.problems) spdlog::error("{}", problem);
    return reading;
  }

  void use_platform(PlatformFiles::Reading reading) {
    const bool is_new = reading.tables != platform_.tables;
    platform_ = std::move(reading);
    if (!is_new) return;
    arbiter_.set_tables(platform_.tables);
    // The machine is the same, what is known of it is not.
    service_->verdicts_changed();
  }

  void on_devices_changed() {
    const auto changes = watch_->drain();
    if (changes.is_incomplete) return read_everything_again(changes.removed);
    read_again(changes.addresses, changes.removed);
  }

  void read_everything_again(const std::vector<Address>& removed = {}) {
    auto machine = p2pd::read_everything_again(live_, *machine_, removed);
    if (!machine) return spdlog::error("cannot read the machine again: {}", machine.error().text);
    show(std::move(*machine), removed);
  }

  // `removed`: what was at these addresses is gone, whatever is there now.
  void read_again(std::vector<Address> addresses, const std::vector<Address>& removed = {}) {
    show(p2pd::read_again(live_, *machine_, std::move(addresses), removed), removed);
  }

  void show(Machine now, std::vector<Address> removed = {}) {
    now = with_known_ports(std::move(now), platform_.tables);
    for (auto& picture : pictures(*machine_, std::move(now), std::move(removed))) use_picture(std::move(picture));
  }

  void use_picture(Machine machine) {
    if (machine == *machine_) return;
    const auto before = std::exchange(machine_, std::make_shared<const Machine>(std::move(machine)));
    post(MachineChanged{machine_});
    if (service_) service_->machine_changed(*before, *machine_);
  }

  void post(Event event) {
    // Who asked for another driver must find it in the picture when the answer comes.
    if (const auto* changed = std::get_if<DriverChanged>(&event)) read_again(changed->devices);
    queue_.push_back(std::move(event));
    must_work(sd_event_source_set_enabled(queue_source_.get(), SD_EVENT_ONESHOT), "sd_event_source_set_enabled");
  }

  void drain_queue() {
    while (!queue_.empty()) {
      auto event = std::move(queue_.front());
      queue_.pop_front();
      for (auto& effect : arbiter_.handle(std::move(event), boot_time()))
        std::visit([this](auto& what) { run_effect(std::move(what)); }, effect);
    }
  }

  template <class KernelEffect>
  void run_effect(KernelEffect effect) {
    runner_.run(std::move(effect));
  }
  void run_effect(const Reply& reply) { service_->answer(reply); }
  void run_effect(const Announce& announcement) { service_->announce(announcement); }
  void run_effect(const Journal& entry) { write_journal(entry); }
  void run_effect(const Tell& notice) {
    runner_.run(notice);
    service_->tell(notice);
  }
  void run_effect(const Leave&) { sd_event_exit(loop_.get(), 0); }

  DaemonOptions options_;
  Config config_;
  LiveOptions live_;
  BackEnds back_ends_;
  EventLoop loop_;
  std::optional<Watch> watch_;
  PlatformFiles platform_files_;
  PlatformFiles::Reading platform_;
  std::shared_ptr<const Machine> machine_;
  Arbiter arbiter_;
  std::deque<Event> queue_;
  EventSource queue_source_;
  EventSource watch_source_;
  Runner runner_;
  std::optional<Service> service_;
};

}  // namespace

int run_daemon(const DaemonOptions& options, const BackEnds& back_ends, FdStore& store) {
  take_back_store(back_ends, store);
  return Daemon(options, back_ends, store).run();
}

}  // namespace p2pd
