// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/error.h"
#include "p2pclient/units.h"
#include "p2pclient/verdict.h"

namespace p2pclient {

std::string_view to_string(Access access) {
  switch (access) {
    case Access::read: return "r";
    case Access::write: return "w";
    case Access::read_write: return "rw";
  }
  return "";
}

std::optional<Access> parse_access(std::string_view text) {
  for (const auto access : {Access::read, Access::write, Access::read_write})
    if (text == to_string(access)) return access;
  return std::nullopt;
}

std::string to_string(Answer answer) {
  switch (answer) {
    case Answer::no: return "no";
    case Answer::yes: return "yes";
    case Answer::unknown: break;
  }
  return "unknown";
}

bool Error::is_refusal() const noexcept {
  return is(error_name::not_permitted) || is("org.freedesktop.DBus.Error.AccessDenied") ||
         is("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired");
}

bool Error::is_unreachable() const noexcept {
  return is("org.freedesktop.DBus.Error.ServiceUnknown") || is("org.freedesktop.DBus.Error.NameHasNoOwner") ||
         is("org.freedesktop.DBus.Error.NoServer") || is("org.freedesktop.DBus.Error.Disconnected") ||
         is("org.freedesktop.DBus.Error.FileNotFound") || is("org.freedesktop.DBus.Error.NoReply") ||
         name_.starts_with("org.freedesktop.DBus.Error.Spawn.") || name_.starts_with("org.freedesktop.systemd1.");
}

}  // namespace p2pclient
