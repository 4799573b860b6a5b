// SPDX-License-Identifier: LGPL-2.1-or-later
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <stdexcept>
#include <vector>

#include "benches.h"
#include "hwloc_tree.h"
#include "shipped_tables.h"
#include "sources/source.h"
#include "verdict/judge.h"

namespace p2pd::bench {

namespace {

// Keeps the CPU time of one run: what else the machine does does not count.
class Keeper : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs) nanoseconds = run.cpu_accumulated_time * 1e9 / static_cast<double>(run.iterations);
  }
  double nanoseconds = 0;
};

template <class Body>
double nanoseconds_of(const char* name, const Body& body) {
  benchmark::RegisterBenchmark(name, [&](benchmark::State& state) {
    for (auto _ : state) body();
  });
  Keeper keeper;
  benchmark::RunSpecifiedBenchmarks(&keeper);
  benchmark::ClearRegisteredBenchmarks();
  return keeper.nanoseconds;
}

// 512 endpoints, each with each: as many pairs as an operator looks at.
void measure_matrix(Table& table, const Outliner& outliner, const std::vector<Address>& initiators,
                    const std::vector<TargetName>& targets) {
  constexpr std::size_t side = 512;
  if (initiators.size() < side || targets.size() < side) return;
  const auto milliseconds =
      nanoseconds_of("matrix",
                     [&] {
                       std::vector<PairEnd> columns;
                       columns.reserve(side);
                       for (std::size_t i = 0; i < side; ++i)
                         columns.emplace_back(outliner.target(targets[i * (targets.size() / side)])).conclude();
                       for (std::size_t i = 0; i < side; ++i) {
                         auto row = outliner.initiator(initiators[i * (initiators.size() / side)]);
                         row.conclude();
                         for (const auto& column : columns) benchmark::DoNotOptimize(outliner.between(row, column));
                       }
                     }) /
      1e6;
  table.add("judge: a matrix of 512 x 512, from nothing", milliseconds, "ms", at_most(100));
}

}  // namespace

void measure_judge(Table& table, const std::filesystem::path& sysfs_root) {
  const auto machine = read_live_machine({.sysfs_root = sysfs_root, .proc_root = "/proc", .virtualization = "none"});
  if (!machine) throw std::runtime_error(machine.error().text);
  const Outliner outliner(*machine, test::shipped_tables());
  std::vector<Address> initiators;
  std::vector<TargetName> targets;
  for (const auto& function : machine->functions()) {
    if (function.is_bridge()) continue;
    initiators.push_back(function.address);
    for (const auto& bar : function.bars) targets.push_back({function.address, bar.index, {}, {}});
  }

  // Another pair each time, as far from the last one as they come.
  std::size_t turn = 0;
  const auto next = [&](const auto& list) -> const auto& { return list[turn++ * 104'729 % list.size()]; };

  std::vector<PairEnd> ends;
  ends.reserve(targets.size());
  for (const auto& target : targets) ends.emplace_back(outliner.target(target)).conclude();
  std::vector<PairEnd> rows;
  rows.reserve(initiators.size());
  for (const auto& initiator : initiators) rows.emplace_back(outliner.initiator(initiator)).conclude();
  // Row by row, as CheckAll goes; a row is as long as the machine has BARs.
  std::size_t row = 0;
  std::size_t column = 0;
  table.add("judge: a pair of many, without reasons",
            nanoseconds_of("outline",
                           [&] {
                             benchmark::DoNotOptimize(outliner.between(rows[row], ends[column]));
                             if (++column < ends.size()) return;
                             column = 0;
                             row = (row + 37) % rows.size();
                           }),
            "ns", at_most(200));
  measure_matrix(table, outliner, initiators, targets);
  const HwlocTree hwloc(*machine);
  row = column = 0;
  table.add(fmt::format("hwloc: where two of {} devices meet, no more", hwloc.devices().size()),
            nanoseconds_of("hwloc",
                           [&] {
                             const auto& devices = hwloc.devices();
                             benchmark::DoNotOptimize(HwlocTree::common_ancestor(devices[row % devices.size()], devices[column]));
                             if (++column < devices.size()) return;
                             column = 0;
                             row = (row + 37) % devices.size();
                           }),
            "ns");
  table.add("judge: one end of many pairs",
            nanoseconds_of("end",
                           [&] {
                             auto end = outliner.target(next(targets));
                             end.conclude();
                             benchmark::DoNotOptimize(end);
                           }),
            "ns");
  table.add(
      "judge: one pair, with all reasons",
      nanoseconds_of("verdict",
                     [&] { benchmark::DoNotOptimize(judge(*machine, test::shipped_tables(), next(initiators), next(targets))); }),
      "ns");
}

}  // namespace p2pd::bench
