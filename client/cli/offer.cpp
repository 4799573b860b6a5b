// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command offer_command() {
  return {.name = "offer",
          .summary = "lets clients borrow a function as an initiator",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string initiator;
              OfferOptions options;
            };
            const auto arguments = std::make_shared<Arguments>();
            add_initiator(app, arguments->initiator);
            app.add_option("--group", arguments->options.group, "only members of this group (whoever polkit lets)")
                ->type_name("GROUP");
            app.add_flag("--trusted-firmware", arguments->options.trusted_firmware,
                         "although it can translate addresses by itself (ATS), past the IOMMU");
            return [arguments](Context& context) {
              context.client().offer(arguments->initiator, arguments->options);
              context.print_done("offered", arguments->initiator);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.offer-initiator"};
}

}  // namespace p2pclient::cli
