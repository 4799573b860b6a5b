// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/diagnosis.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

Command doctor_command() {
  return {.name = "doctor",
          .summary = "what keeps p2pd from lending and mapping on this machine, and what to do about it",
          .declare = [](CLI::App&) -> Command::Run {
            return [](Context& context) {
              const auto client = context.client();
              Patient patient{P2PD_VERSION, client.info(), client.devices(), {}};
              const auto initiators = offered_initiators(patient.devices);
              const auto targets = enabled_targets(patient.devices);
              // Empty lists would mean all that there is.
              if (!initiators.empty() && !targets.empty()) patient.pairs = client.check_all(initiators, targets);
              const auto found = diagnose(patient);
              context.print(context.json() ? diagnosis_json(found) : diagnosis_text(found));
              return is_healthy(found) ? exit_yes : exit_no;
            };
          }};
}

}  // namespace p2pclient::cli
