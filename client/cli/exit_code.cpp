// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/exit_code.h"

namespace p2pclient::cli {

int exit_code(Answer answer) {
  switch (answer) {
    case Answer::yes: return exit_yes;
    case Answer::no: return exit_no;
    case Answer::unknown: break;
  }
  return exit_unknown;
}

int exit_code(const Error& error) {
  if (error.is_refusal()) return exit_not_permitted;
  if (error.is_unreachable()) return exit_unreachable;
  if (error.is(error_name::invalid_argument)) return exit_usage;
  return exit_no;
}

}  // namespace p2pclient::cli
