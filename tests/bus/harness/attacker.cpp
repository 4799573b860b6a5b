// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/attacker.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <memory>
#include <system_error>
#include <utility>

namespace p2pd::test {

namespace {

using Message = std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)>;

int must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
  return result;
}

std::pair<std::string, std::string> interface_and_member(const std::string& method) {
  const auto dot = method.rfind('.');
  return {method.substr(0, dot), method.substr(dot + 1)};
}

}  // namespace

Attacker::Attacker(const PrivateBus& bus, uid_t uid, std::string whom, Deed deed)
    : bus_(bus.connect(uid)),
      socket_(must(sd_bus_get_fd(bus_), "sd_bus_get_fd")),
      whom_(std::move(whom)),
      deed_(std::move(deed)) {
  thread_ = std::thread([this] { run(); });
}

Attacker::~Attacker() {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::leaves;
    changed_.notify_all();
  }
  // It may be waiting for a bus that does not read.
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  sd_bus_close_unref(bus_);
}

void Attacker::wait_until_the_bus_has_read_all() const {
  const Deadline deadline;
  for (int left = 1; left > 0; ::poll(nullptr, 0, 1)) {
    (void)deadline.left("that the bus reads what an attacker sent");
    must(::ioctl(socket_, SIOCOUTQ, &left), "SIOCOUTQ");
  }
}

void Attacker::go() {
  const std::lock_guard lock(mutex_);
  state_ = State::works;
  changed_.notify_all();
}

void Attacker::rest() {
  std::unique_lock lock(mutex_);
  if (state_ == State::works) state_ = State::is_to_rest;
  const Deadline deadline;
  while (state_ != State::rests) changed_.wait_for(lock, deadline.left("the end of a deed"));
  if (failure_) std::rethrow_exception(failure_);
  lock.unlock();
  wait_until_the_bus_has_read_all();
}

void Attacker::run() {
  std::unique_lock lock(mutex_);
  while (state_ != State::leaves) {
    if (state_ == State::is_to_rest || (state_ == State::works && failure_)) {
      state_ = State::rests;
      changed_.notify_all();
    }
    if (state_ == State::rests) {
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    std::exception_ptr failure;
    try {
      deed_(*this);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
  }
}

void Attacker::send(sd_bus_message* message) {
  std::uint64_t serial = 0;
  // To sd_bus_send() a serial that nobody wants to know means that no answer is wanted.
  must(sd_bus_send(bus_, message, &serial), "sd_bus_send");
  // Without reading: whoever does not read waits only until the bus has taken it.
  must(sd_bus_flush(bus_), "sd_bus_flush");
  ++sent_;
}

void Attacker::send(const Client::Call& call, Reply reply) {
  const auto [interface, member] = interface_and_member(call.method);
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_method_call(bus_, &made, whom_.c_str(), call.path.c_str(), interface.c_str(), member.c_str()),
       "sd_bus_message_new_method_call");
  const Message message(made, sd_bus_message_unref);
  append(made, call.arguments);
  must(sd_bus_message_set_expect_reply(made, reply == Reply::wanted ? 1 : 0), "sd_bus_message_set_expect_reply");
  send(made);
  if (reply == Reply::wanted) ++awaited_;
}

void Attacker::send_signal(const Client::Call& call) {
  const auto [interface, member] = interface_and_member(call.method);
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_signal(bus_, &made, call.path.c_str(), interface.c_str(), member.c_str()), "sd_bus_message_new_signal");
  const Message message(made, sd_bus_message_unref);
  append(made, call.arguments);
  must(sd_bus_message_set_destination(made, whom_.c_str()), "sd_bus_message_set_destination");
  send(made);
}

void Attacker::read() {
  constexpr std::uint64_t a_moment = 1000;
  bool waited = false;
  for (;;) {
    sd_bus_message* taken = nullptr;
    const int worked = must(sd_bus_process(bus_, &taken), "sd_bus_process");
    const Message message(taken, sd_bus_message_unref);
    std::uint8_t type = 0;
    if (taken != nullptr && sd_bus_message_get_type(taken, &type) >= 0 &&
        (type == SD_BUS_MESSAGE_METHOD_RETURN || type == SD_BUS_MESSAGE_METHOD_ERROR)) {
      const auto* error = sd_bus_message_get_error(taken);
      ++answers_[error == nullptr ? "" : error->name];
      --awaited_;
    }
    if (worked > 0) continue;
    if (std::exchange(waited, true)) return;
    (void)sd_bus_wait(bus_, a_moment);
  }
}

}  // namespace p2pd::test
