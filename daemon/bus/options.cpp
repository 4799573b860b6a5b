// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/options.h"

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "bus/errors.h"
#include "bus/fd_gate.h"
#include "bus/text.h"

namespace p2pd {

namespace {

constexpr std::uint32_t longest_grace_ms = 600'000;

std::vector<std::string> texts_of(sd_bus_message* message) {
  std::vector<std::string> result;
  must(sd_bus_message_enter_container(message, 'a', "s"), "enter strings");
  const char* text = nullptr;
  while (must(sd_bus_message_read_basic(message, 's', static_cast<void*>(&text)), "read string") > 0) result.emplace_back(text);
  must(sd_bus_message_exit_container(message), "exit strings");
  return result;
}

}  // namespace

template <class T>
std::optional<T> Options::take(const std::string& key, const char* type) {
  auto node = values_.extract(key);
  if (node.empty()) return std::nullopt;
  if (auto* value = std::get_if<T>(&node.mapped())) return std::move(*value);
  complain(ErrorCode::invalid_argument, "option `" + key + "` must be of D-Bus type " + type);
  return std::nullopt;
}

void Options::complain(ErrorCode code, std::string text) {
  if (!problem_) problem_ = Reason{code, std::move(text)};
}

std::optional<Access> Options::access() {
  const auto given = text("access");
  if (!given) return std::nullopt;
  const auto access = parse_access(*given);
  if (!access) complain(ErrorCode::invalid_argument, "option `access` must be \"r\", \"w\" or \"rw\"");
  return access;
}

unsigned Options::address_bits() {
  const auto said = number("address_bits");
  if (!said) return 0;
  const auto bits = *said;
  if (bits < 1 || bits > 64) complain(ErrorCode::invalid_argument, "option `address_bits` must be 1 to 64");
  return bits;
}

std::chrono::milliseconds Options::grace() {
  const auto grace = number("grace_ms").value_or(0);
  if (grace > longest_grace_ms) complain(ErrorCode::invalid_argument, "option `grace_ms` must be 0 to 600000");
  return std::chrono::milliseconds{grace};
}

void Options::only_false(const std::string& key) {
  if (boolean(key).value_or(false))
    complain(ErrorCode::not_supported, "option `" + key + "` is not built yet in this version: leave it out");
}

void Options::only_text(const std::string& key, const std::string& now) {
  const auto given = text(key);
  if (given && *given != now)
    complain(ErrorCode::not_supported, "option `" + key + "` is only \"" + now + "\" in this version, others are not built yet");
}

Outcome<void> Options::problem() const {
  if (problem_) return tl::unexpected<Reason>(*problem_);
  if (!values_.empty())
    return refuse(ErrorCode::invalid_argument, "option `" + printable(values_.begin()->first) + "` is not known to this method");
  return {};
}

Arguments::Arguments(sd_bus_message* message) : message_(message) {
  // sdbus-c++ has read the message of a generated method before we get it.
  must(sd_bus_message_rewind(message_, 1), "sd_bus_message_rewind");
}

const char* Arguments::string_of(char type) {
  const char* text = nullptr;
  must(sd_bus_message_read_basic(message_, type, static_cast<void*>(&text)), "read string");
  return text;
}

std::string Arguments::text() { return string_of('s'); }

std::string Arguments::path() { return string_of('o'); }

std::uint32_t Arguments::number() {
  std::uint32_t number = 0;
  must(sd_bus_message_read_basic(message_, 'u', &number), "read number");
  return number;
}

std::uint64_t Arguments::large_number() {
  std::uint64_t number = 0;
  must(sd_bus_message_read_basic(message_, 't', &number), "read number");
  return number;
}

ForeignFd Arguments::descriptor() {
  int token = -1;
  must(sd_bus_message_read_basic(message_, 'h', &token), "read descriptor");
  auto file = FdGate::file_of(token);
  if (!file) throw std::system_error(errno, std::generic_category(), "F_DUPFD_CLOEXEC of a client's descriptor");
  return file;
}

Options::Value Arguments::value() {
  const char* type = nullptr;
  must(sd_bus_message_peek_type(message_, nullptr, &type), "peek value");
  // `type` points into the message's own state: it is gone after the next read.
  const std::string contents{type};
  must(sd_bus_message_enter_container(message_, 'v', contents.c_str()), "enter value");
  Options::Value result;
  if (contents == "b") {
    int boolean = 0;
    must(sd_bus_message_read_basic(message_, 'b', &boolean), "read boolean");
    result = boolean != 0;
  } else if (contents == "u") {
    result = number();
  } else if (contents == "t") {
    result = large_number();
  } else if (contents == "s") {
    result = text();
  } else if (contents == "as") {
    result = texts_of(message_);
  } else if (contents == "h") {
    result = descriptor();
  } else {
    must(sd_bus_message_skip(message_, contents.c_str()), "skip value");
  }
  must(sd_bus_message_exit_container(message_), "exit value");
  return result;
}

Options Arguments::options() {
  Options options;
  must(sd_bus_message_enter_container(message_, 'a', "{sv}"), "enter options");
  unsigned count = 0;
  while (must(sd_bus_message_enter_container(message_, 'e', "sv"), "enter option") > 0) {
    auto key = text();
    auto read = value();
    must(sd_bus_message_exit_container(message_), "exit option");
    if (++count > most_options) {
      options.complain(ErrorCode::invalid_argument, "no method takes that many options");
      return options;
    }
    const auto [place, is_new] = options.values_.try_emplace(std::move(key), std::move(read));
    if (!is_new) options.complain(ErrorCode::invalid_argument, "option `" + printable(place->first) + "` is given twice");
  }
  must(sd_bus_message_exit_container(message_), "exit options");
  return options;
}

// The types that options have.
template std::optional<bool> Options::take<bool>(const std::string&, const char*);
template std::optional<std::uint32_t> Options::take<std::uint32_t>(const std::string&, const char*);
template std::optional<std::uint64_t> Options::take<std::uint64_t>(const std::string&, const char*);
template std::optional<std::string> Options::take<std::string>(const std::string&, const char*);
template std::optional<std::vector<std::string>> Options::take<std::vector<std::string>>(const std::string&, const char*);
template std::optional<ForeignFd> Options::take<ForeignFd>(const std::string&, const char*);

}  // namespace p2pd
