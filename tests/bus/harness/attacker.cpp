// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/attacker.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <system_error>

namespace p2pd::test {

namespace {

constexpr const char* p2pd_name = "org.p2pd1";

void must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

std::uint32_t number_at(const std::vector<std::uint8_t>& bytes, std::size_t offset) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

// A message begins with 16 bytes: length of the body at 4, length of the header's fields at 12, which are padded to 8.
constexpr std::size_t fixed_header = 16;
std::size_t length_of(const std::vector<std::uint8_t>& header) {
  const std::size_t fields = number_at(header, 12);
  return fixed_header + (fields + 7) / 8 * 8 + number_at(header, 4);
}

}  // namespace

Attacker::Attacker(const PrivateBus& bus, uid_t uid) : bus_(bus.connect(uid)) {}

void Attacker::listen() {
  must(sd_bus_add_match(bus_.get(), nullptr, "sender='org.p2pd1'", nullptr, nullptr), "sd_bus_add_match");
}

std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> Attacker::make(const Client::Call& call) const {
  const auto dot = call.method.rfind('.');
  sd_bus_message* message = nullptr;
  must(sd_bus_message_new_method_call(bus_.get(), &message, p2pd_name, call.path.c_str(), call.method.substr(0, dot).c_str(),
                                      call.method.substr(dot + 1).c_str()),
       "sd_bus_message_new_method_call");
  std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> owned(message, sd_bus_message_unref);
  append(message, call.arguments);
  return owned;
}

void Attacker::send(const Client::Call& call, bool is_deaf) {
  const auto message = make(call);
  if (is_deaf) must(sd_bus_message_set_expect_reply(message.get(), 0), "sd_bus_message_set_expect_reply");
  std::uint64_t cookie = 0;
  must(sd_bus_send(bus_.get(), message.get(), is_deaf ? nullptr : &cookie), "sd_bus_send");
  if (!is_deaf) ++in_flight_;
}

void Attacker::send_signal(const Client::Call& signal) {
  const auto dot = signal.method.rfind('.');
  sd_bus_message* message = nullptr;
  must(sd_bus_message_new_signal(bus_.get(), &message, signal.path.c_str(), signal.method.substr(0, dot).c_str(),
                                 signal.method.substr(dot + 1).c_str()),
       "sd_bus_message_new_signal");
  const std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> owned(message, sd_bus_message_unref);
  append(message, signal.arguments);
  must(sd_bus_send_to(bus_.get(), message, p2pd_name, nullptr), "sd_bus_send_to");
}

void Attacker::send_fds(const std::vector<int>& fds) {
  Arguments arguments;
  for (const int fd : fds) arguments.emplace_back(Fd{fd});
  send({.path = "/nowhere", .method = "org.example.Nobody.Takes", .arguments = std::move(arguments)});
}

std::size_t Attacker::discard() {
  std::size_t messages = 0;
  std::array<std::uint8_t, 65536> bytes{};
  for (;;) {
    const auto size = ::recv(sd_bus_get_fd(bus_.get()), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size <= 0) break;
    const auto came = static_cast<std::size_t>(size);
    for (std::size_t at = 0; at < came;) {
      if (rest_ == 0) {
        const auto part = std::min(fixed_header - header_.size(), came - at);
        header_.insert(header_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at + part));
        at += part;
        if (header_.size() < fixed_header) break;
        rest_ = length_of(header_) - fixed_header;
        header_.clear();
      }
      const auto part = std::min(rest_, came - at);
      at += part;
      rest_ -= part;
      if (rest_ == 0) ++messages;
    }
  }
  in_flight_ -= std::min(in_flight_, messages);
  return messages;
}

bool Attacker::is_full() const {
  pollfd socket{.fd = sd_bus_get_fd(bus_.get()), .events = POLLOUT, .revents = 0};
  return ::poll(&socket, 1, 0) == 0;
}

std::string Attacker::name() const {
  const char* name = nullptr;
  must(sd_bus_get_unique_name(bus_.get(), &name), "sd_bus_get_unique_name");
  return name;
}

}  // namespace p2pd::test
