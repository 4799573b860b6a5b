// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Expected outcomes are values: tl::expected<T, Reason>. The fatal is an exception. The bus border turns both
// into D-Bus errors by one table (bus/errors).
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

namespace p2pd {

// One for each D-Bus error name org.p2pd1.Error.*.
enum class ErrorCode : std::uint8_t {
  not_found,
  invalid_argument,
  not_permitted,
  not_enabled,
  not_offered,
  blocked,
  busy,
  gone,
  quota_exceeded,
  not_supported,
  failed,
};

// Why something was not done: the code for programs, one sentence for people.
struct Reason {
  ErrorCode code = ErrorCode::failed;
  std::string text;
  bool operator==(const Reason&) const = default;
};

template <class T>
using Outcome = tl::expected<T, Reason>;

[[nodiscard]] inline tl::unexpected<Reason> refuse(ErrorCode code, std::string text) {
  return tl::unexpected<Reason>(Reason{code, std::move(text)});
}

// What went wrong, for an outcome of another type.
template <class T>
[[nodiscard]] tl::unexpected<Reason> error_of(const Outcome<T>& outcome) {
  return tl::unexpected<Reason>(outcome.error());
}

// `what: strerror(error)`: a system call that failed, with the object that it was for.
[[nodiscard]] tl::unexpected<Reason> refuse_errno(std::string what, int error);

}  // namespace p2pd
