// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pd measured, beside others who do the same or less: ratios of one run mean something on any machine.
#include <CLI/CLI.hpp>
#include <exception>
#include <string>

#include "benches.h"
#include "constant_service.h"
#include "floor.h"
#include "generated_machine.h"

namespace {

using namespace p2pd;
using namespace p2pd::bench;

template <class Measure>
void attempt(Table& table, const char* what, const Measure& measure) {
  try {
    measure();
  } catch (const std::exception& error) {
    table.fail(what, error.what());
  }
}

int measure_all(unsigned idle_seconds, std::size_t functions, bool is_strict) {
  const test::TemporaryDirectory directory;
  const test::PrivateBus bus(directory.path());
  Table table;
  attempt(table, "idling", [&] { measure_idle(table, bus, idle_seconds); });

  test::FakeSysfs tree;
  test::generate_machine(tree, functions);
  tree.write("sys/class/iommu/dmar0/devices", "");
  tree.write("dev/vfio/vfio", "");
  attempt(table, "start", [&] { measure_start(table, bus, tree.sysfs()); });
  attempt(table, "calls", [&] { measure_bus(table, bus, tree.sysfs()); });
  attempt(table, "judge", [&] { measure_judge(table, tree.sysfs()); });
  table.summarize();
  constexpr int not_met = 2;
  if (!table.is_complete()) return 1;
  return is_strict && !table.is_met() ? not_met : 0;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned idle_seconds = 60;
  std::size_t functions = 13000;
  bool is_strict = false;
  std::string floor_of;
  std::string constant_on;
  CLI::App app("p2pd-bench: how fast p2pd is, and how little it needs");
  app.add_option("--idle", idle_seconds, "seconds of watching p2pd do nothing")->capture_default_str();
  app.add_option("--functions", functions, "of the generated machine")->capture_default_str();
  app.add_flag("--strict", is_strict, "exit status 2 when a goal is not met");
  // What it starts itself as.
  app.add_option("--floor", floor_of)->group("");
  app.add_option("--constant", constant_on)->group("");
  CLI11_PARSE(app, argc, argv);
  try {
    if (!constant_on.empty()) serve_constant(constant_on);
    if (floor_of.empty()) return measure_all(idle_seconds, functions, is_strict);
    read_attributes(floor_of);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "p2pd-bench: %s\n", error.what());
    return 1;
  }
}
