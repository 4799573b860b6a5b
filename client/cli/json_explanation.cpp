// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The document of `check`, with path and reach set added.
#include <nlohmann/json.hpp>

#include "cli/explanation.h"
#include "cli/json.h"

namespace p2pclient::cli {

std::string explanation_json(const Explanation& explanation) {
  using Json = nlohmann::ordered_json;
  auto json = Json::parse(verdict_json(explanation.verdict));
  json["sentence"] = sentence(explanation.verdict);

  std::vector<Device> devices;
  devices.reserve(explanation.path.size());
  for (const auto& hop : explanation.path) devices.push_back(hop.device);
  auto functions = Json::parse(functions_json(devices)).at("functions");
  json["path"] = Json::array();
  for (std::size_t i = 0; i < functions.size(); ++i) {
    Json hop{{"way", to_string(explanation.path[i].way)}};
    hop.update(functions[i]);
    json["path"].push_back(std::move(hop));
  }
  json["reach_set"] = {{"targets", explanation.reach.targets}, {"complete", explanation.reach.is_complete}};
  return json.dump(2) + "\n";
}

}  // namespace p2pclient::cli
