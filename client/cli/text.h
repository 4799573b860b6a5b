// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Values as text for people. Every function gives whole lines.
#pragma once

#include <string>
#include <vector>

#include "cli/diagnosis.h"
#include "cli/matrix_fold.h"
#include "cli/table.h"
#include "p2pclient/client.h"
#include "p2pclient/device.h"
#include "p2pclient/verdict.h"

namespace p2pclient::cli {

[[nodiscard]] std::string list_text(const std::vector<Device>& devices, const Style& style);
[[nodiscard]] std::string show_text(const Device& device);
[[nodiscard]] std::string tree_text(const std::vector<Device>& devices, const Style& style);
// One letter for route and `possible` of each pair, and what the letters mean.
[[nodiscard]] std::string matrix_text(const Matrix& matrix, const std::vector<Fold>& folds, const Style& style);
[[nodiscard]] std::string verdict_text(const Verdict& verdict);
[[nodiscard]] std::string grants_text(const std::vector<HoldingInfo>& holdings, const std::vector<MappingInfo>& mappings,
                                      const Style& style);
// The end of a grant's path, which tells it apart: "holding/3".
[[nodiscard]] std::string short_name(const std::string& path);
[[nodiscard]] std::string info_text(const DaemonInfo& daemon);
[[nodiscard]] std::string diagnosis_text(const std::vector<Diagnosis>& found);

}  // namespace p2pclient::cli
