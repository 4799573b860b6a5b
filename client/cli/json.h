// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Values as JSON, schema "p2p-client/1": addresses and cookies are hex strings, sizes numbers of bytes, what is not known
// is null. Every function gives one document with a line feed at the end.
#pragma once

#include <string>
#include <vector>

#include "cli/diagnosis.h"
#include "p2pclient/client.h"
#include "p2pclient/device.h"
#include "p2pclient/monitor.h"
#include "p2pclient/verdict.h"

namespace p2pclient::cli {

inline constexpr const char* json_schema = "p2p-client/1";

[[nodiscard]] std::string functions_json(const std::vector<Device>& devices);
// The same objects, nested by `children`.
[[nodiscard]] std::string tree_json(const std::vector<Device>& devices);
[[nodiscard]] std::string matrix_json(const Matrix& matrix);
[[nodiscard]] std::string verdict_json(const Verdict& verdict);
[[nodiscard]] std::string grants_json(const std::vector<HoldingInfo>& holdings, const std::vector<MappingInfo>& mappings);
// `daemon` is nothing when p2pd does not answer.
[[nodiscard]] std::string version_json(const std::string& client_version, const std::optional<DaemonInfo>& daemon);
[[nodiscard]] std::string diagnosis_json(const std::vector<Diagnosis>& found);
// One line.
[[nodiscard]] std::string change_json(const Change& change);
// What is different in the object, named as in JSON: `driver: null -> "vfio-pci"`.
[[nodiscard]] std::vector<std::string> differences(const Change& change);
// What an operation did: {"done": VERB, "object": NAME}.
[[nodiscard]] std::string done_json(const std::string& verb, const std::string& object);

}  // namespace p2pclient::cli
