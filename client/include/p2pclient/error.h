// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the library reports failure: what p2pd or the bus answered is an `Error`, a system call that failed in this process
// is a `std::system_error`. Nothing else is thrown on purpose; destructors never throw.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace p2pclient {

// The names that p2pd gives its errors. Others come from the bus itself (org.freedesktop.DBus.Error.*).
namespace error_name {
inline constexpr std::string_view not_found = "org.p2pd1.Error.NotFound";
inline constexpr std::string_view invalid_argument = "org.p2pd1.Error.InvalidArgument";
inline constexpr std::string_view not_permitted = "org.p2pd1.Error.NotPermitted";
inline constexpr std::string_view not_enabled = "org.p2pd1.Error.NotEnabled";
inline constexpr std::string_view not_offered = "org.p2pd1.Error.NotOffered";
inline constexpr std::string_view blocked = "org.p2pd1.Error.Blocked";
inline constexpr std::string_view busy = "org.p2pd1.Error.Busy";
inline constexpr std::string_view gone = "org.p2pd1.Error.Gone";
inline constexpr std::string_view quota_exceeded = "org.p2pd1.Error.QuotaExceeded";
inline constexpr std::string_view not_supported = "org.p2pd1.Error.NotSupported";
inline constexpr std::string_view failed = "org.p2pd1.Error.Failed";
}  // namespace error_name

class Error : public std::runtime_error {
 public:
  // `name` is a D-Bus error name, `text` one sentence for people.
  Error(std::string name, const std::string& text) : std::runtime_error(text), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool is(std::string_view name) const noexcept { return name_ == name; }

  // p2pd (or the bus) said that the caller may not do this.
  [[nodiscard]] bool is_refusal() const noexcept;
  // Nobody answered: no bus, or no p2pd on it.
  [[nodiscard]] bool is_unreachable() const noexcept;

 private:
  std::string name_;
};

}  // namespace p2pclient
