// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/hierarchy.h"

#include <map>
#include <string>

namespace p2pclient::cli {

Hierarchy hierarchy_of(const std::vector<Device>& devices) {
  std::map<std::string, std::size_t> index_of;
  for (std::size_t i = 0; i < devices.size(); ++i) index_of.emplace(devices[i].address, i);

  Hierarchy hierarchy;
  hierarchy.children.resize(devices.size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const auto parent = index_of.find(devices[i].parent);
    if (parent == index_of.end() || parent->second == i)
      hierarchy.roots.push_back(i);
    else
      hierarchy.children[parent->second].push_back(i);
  }
  return hierarchy;
}

}  // namespace p2pclient::cli
