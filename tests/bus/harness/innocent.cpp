// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/innocent.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <vector>

#include "harness/deadline.h"

namespace p2pd::test {

namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* idle_name = "org.example.Idle";

void must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

Latency latency_of(std::vector<std::chrono::microseconds> times) {
  std::sort(times.begin(), times.end());
  return {.median = times.at(times.size() / 2), .nearly_all = times.at(times.size() * 99 / 100)};
}

std::ostream& operator<<(std::ostream& stream, const Latency& latency) {
  return stream << latency.median.count() << "/" << latency.nearly_all.count() << " us";
}

}  // namespace

IdleService::IdleService(const PrivateBus& bus) : bus_(bus.connect()), leave_(::eventfd(0, EFD_CLOEXEC)) {
  must(sd_bus_request_name(bus_, idle_name, 0), "sd_bus_request_name");
  thread_ = std::thread([this] { run(); });
}

IdleService::~IdleService() {
  eventfd_write(leave_.get(), 1);
  thread_.join();
  sd_bus_flush_close_unref(bus_);
}

void IdleService::run() {
  for (;;) {
    while (sd_bus_process(bus_, nullptr) > 0) continue;
    std::array<pollfd, 2> ready{pollfd{sd_bus_get_fd(bus_), POLLIN, 0}, pollfd{leave_.get(), POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) > 0 && ready[1].revents != 0) return;
  }
}

std::ostream& operator<<(std::ostream& stream, const Latencies& latencies) {
  return stream << "p2pd " << latencies.p2pd << ", idle service " << latencies.idle << ", ratio " << latencies.ratio() << " ("
                << latencies.samples << " samples)";
}

Innocent::Innocent(const PrivateBus& bus, uid_t uid) : bus_(bus.connect(uid)) {}

std::chrono::microseconds Innocent::ping(const char* service) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_method_call(bus_, &made, service, "/org/p2pd1", "org.freedesktop.DBus.Peer", "Ping"), "new Ping");
  const std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> call(made, sd_bus_message_unref);
  const auto begin = Clock::now();
  const auto limit = std::chrono::duration_cast<std::chrono::microseconds>(patience).count();
  const int result = sd_bus_call(bus_, call.get(), static_cast<std::uint64_t>(limit), &error, nullptr);
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  const std::string text = error.name == nullptr ? "" : std::string(error.name) + ": " + error.message;
  sd_bus_error_free(&error);
  if (result < 0) throw std::runtime_error(std::string("no Ping from ") + service + ": " + text);
  return time;
}

Latencies Innocent::measure(std::chrono::milliseconds duration) {
  std::vector<std::chrono::microseconds> p2pd;
  std::vector<std::chrono::microseconds> idle;
  constexpr std::size_t fewest = 30;
  for (const auto end = Clock::now() + duration; Clock::now() < end || p2pd.size() < fewest;) {
    p2pd.push_back(ping("org.p2pd1"));
    idle.push_back(ping(idle_name));
  }
  return {.samples = p2pd.size(), .p2pd = latency_of(p2pd), .idle = latency_of(idle)};
}

}  // namespace p2pd::test
