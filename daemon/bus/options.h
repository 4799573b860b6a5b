// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Arguments and options of a request, read from its raw message: only there are the client's descriptors to be had
// (fd_gate.h), and one reader serves generated adaptors and the device vtable alike.
#pragma once

#include <systemd/sd-bus.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/access.h"
#include "model/foreign_fd.h"
#include "model/reason.h"

namespace p2pd {

// More are refused before anything is allocated for them.
inline constexpr unsigned most_options = 32;

// An a{sv}. Each read takes a key out; problem() says what was wrong: a value of another type or range, a key that was
// given twice, a key that nobody read.
class Options {
 public:
  [[nodiscard]] std::optional<bool> boolean(const std::string& key) { return take<bool>(key, "b"); }
  [[nodiscard]] std::optional<std::uint32_t> number(const std::string& key) { return take<std::uint32_t>(key, "u"); }
  [[nodiscard]] std::optional<std::uint64_t> large_number(const std::string& key) { return take<std::uint64_t>(key, "t"); }
  [[nodiscard]] std::optional<std::string> text(const std::string& key) { return take<std::string>(key, "s"); }
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const std::string& key) {
    return take<std::vector<std::string>>(key, "as");
  }
  [[nodiscard]] std::optional<ForeignFd> descriptor(const std::string& key) { return take<ForeignFd>(key, "h"); }

  // The ones that several methods share.
  [[nodiscard]] std::optional<Access> access();     // access s: "r", "w", "rw"
  [[nodiscard]] unsigned address_bits();            // address_bits u: 1..64; 0 = not said
  [[nodiscard]] std::chrono::milliseconds grace();  // grace_ms u: 0..600000, default 0
  // An option whose other values come later: anything but `now` makes the request NotSupported.
  void only_false(const std::string& key);
  void only_text(const std::string& key, const std::string& now);

  // The first thing that was wrong, after everything was read.
  [[nodiscard]] Outcome<void> problem() const;

 private:
  friend class Arguments;
  struct OtherType {};
  using Value = std::variant<OtherType, bool, std::uint32_t, std::uint64_t, std::string, std::vector<std::string>, ForeignFd>;

  template <class T>
  std::optional<T> take(const std::string& key, const char* type);
  void complain(ErrorCode code, std::string text);

  std::map<std::string, Value> values_;
  std::optional<Reason> problem_;
};

// Reads a request from its first argument on. sd-bus has checked the signature, so a wrong type is a mistake of ours.
class Arguments {
 public:
  explicit Arguments(sd_bus_message* message);

  [[nodiscard]] std::string text();
  [[nodiscard]] std::string path();
  [[nodiscard]] std::uint32_t number();
  [[nodiscard]] std::uint64_t large_number();
  [[nodiscard]] ForeignFd descriptor();
  [[nodiscard]] Options options();

 private:
  const char* string_of(char type);
  Options::Value value();

  sd_bus_message* message_;
};

}  // namespace p2pd
