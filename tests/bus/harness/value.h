// SPDX-License-Identifier: LGPL-2.1-or-later
//
// D-Bus values as tests look at them, and the arguments that they send.
//
//   EXPECT_EQ(verdict["blockers"][0]["code"], "target-not-enabled");
#pragma once

#include <systemd/sd-bus.h>

#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace p2pd::test {

// Widths and signatures do not matter here (the introspection test compares those): all numbers are alike, structs are
// lists, keys are text. Asking for what is not there throws, with the value in the message.
class Value {
 public:
  using List = std::vector<Value>;
  using Dict = std::map<std::string, Value>;

  Value() = default;
  Value(bool flag) : data_(flag) {}                      // NOLINT(google-explicit-constructor)
  Value(const char* text) : data_(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  Value(std::string text) : data_(std::move(text)) {}    // NOLINT(google-explicit-constructor)
  Value(List list) : data_(std::move(list)) {}           // NOLINT(google-explicit-constructor)
  Value(Dict dict) : data_(std::move(dict)) {}           // NOLINT(google-explicit-constructor)
  template <std::unsigned_integral Number>
  Value(Number number) : data_(std::uint64_t{number}) {}  // NOLINT(google-explicit-constructor)
  template <std::signed_integral Number>
  Value(Number number) {  // NOLINT(google-explicit-constructor)
    if (number < 0) {
      data_ = std::int64_t{number};
    } else {
      data_ = static_cast<std::uint64_t>(number);
    }
  }

  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] std::uint64_t number() const;
  [[nodiscard]] bool flag() const;
  [[nodiscard]] const List& list() const;
  [[nodiscard]] const Dict& dict() const;
  const Value& operator[](std::size_t index) const;
  const Value& operator[](std::string_view key) const;
  const Value& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  const Value& operator[](int index) const { return (*this)[static_cast<std::size_t>(index)]; }
  // Of a list: an equal element; of a dict: a key.
  [[nodiscard]] bool contains(const Value& what) const;
  // Of a list or a dict.
  [[nodiscard]] std::size_t size() const;

  bool operator==(const Value&) const = default;
  friend std::ostream& operator<<(std::ostream& stream, const Value& value);
  [[nodiscard]] std::string dump() const;

 private:
  std::variant<std::monostate, bool, std::uint64_t, std::int64_t, double, std::string, List, Dict> data_;
};

// The arguments of a message as a list.
[[nodiscard]] Value read_body(sd_bus_message* message);
// A JSON object, e.g. a notice over a lease; throws when it is none.
[[nodiscard]] Value read_json(const std::string& text);

// ---- what is sent: here the exact D-Bus type counts, so 1u is `u` and std::uint64_t{1} is `t`

struct Path {
  std::string text;
};
struct Fd {
  int fd;
};
using Strings = std::vector<std::string>;
using Simple = std::variant<bool, std::uint8_t, std::int32_t, std::uint32_t, std::uint64_t, std::string, Path, Fd, Strings>;
using Options = std::vector<std::pair<std::string, Simple>>;
struct Variant {
  Simple value;
};
struct Argument : std::variant<bool, std::uint8_t, std::int32_t, std::uint32_t, std::uint64_t, std::string, Path, Fd, Strings,
                               Options, Variant> {
  using variant::variant;
};
using Arguments = std::vector<Argument>;

void append(sd_bus_message* message, const Arguments& arguments);

}  // namespace p2pd::test
