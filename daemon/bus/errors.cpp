// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/errors.h"

#include <spdlog/spdlog.h>

#include <array>
#include <cerrno>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

#include "bus/text.h"

namespace p2pd {

namespace {

constexpr auto error_names = std::to_array<std::pair<ErrorCode, const char*>>({
    {ErrorCode::not_found, "org.p2pd1.Error.NotFound"},
    {ErrorCode::invalid_argument, "org.p2pd1.Error.InvalidArgument"},
    {ErrorCode::not_permitted, "org.p2pd1.Error.NotPermitted"},
    {ErrorCode::not_enabled, "org.p2pd1.Error.NotEnabled"},
    {ErrorCode::not_offered, "org.p2pd1.Error.NotOffered"},
    {ErrorCode::blocked, "org.p2pd1.Error.Blocked"},
    {ErrorCode::busy, "org.p2pd1.Error.Busy"},
    {ErrorCode::gone, "org.p2pd1.Error.Gone"},
    {ErrorCode::quota_exceeded, "org.p2pd1.Error.QuotaExceeded"},
    {ErrorCode::not_supported, "org.p2pd1.Error.NotSupported"},
    {ErrorCode::failed, "org.p2pd1.Error.Failed"},
});

constexpr const char* internal_error = "p2pd could not finish this because of an internal error; its log says more";

void log_exception(const char* what) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", what, error.what());
  } catch (...) {
    spdlog::error("{}: an unknown exception", what);
  }
}

}  // namespace

const char* error_name(ErrorCode code) {
  for (const auto& [known, name] : error_names)
    if (known == code) return name;
  return "org.p2pd1.Error.Failed";
}

std::string error_text(const Reason& reason) { return valid_utf8(reason.text); }

sdbus::Error to_error(const Reason& reason) {
  return sdbus::Error{compat::ErrorName{error_name(reason.code)}, error_text(reason)};
}

Reason reason_of_exception(const char* what) noexcept {
  log_exception(what);
  return Reason{ErrorCode::failed, internal_error};
}

int set_error_of_exception(const char* what, sd_bus_error* error) noexcept {
  log_exception(what);
  return sd_bus_error_set_const(error, error_name(ErrorCode::failed), internal_error);
}

int must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
  return result;
}

}  // namespace p2pd
