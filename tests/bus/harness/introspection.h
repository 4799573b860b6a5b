// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an introspection document says of one interface, as lines that can be compared:
//
//   method Map(o holding in, s target in, … t length out)      signal Revoked(s reason)
//   property Bars a(uttass) read emits true
#pragma once

#include <set>
#include <string>
#include <vector>

namespace p2pd::test {

[[nodiscard]] std::set<std::string> members_of(const std::string& document, const std::string& interface);

// The contract: dbus/*.xml.
struct ContractInterface {
  std::string name;
  std::set<std::string> members;
  std::vector<std::string> methods;  // names
};
[[nodiscard]] const std::vector<ContractInterface>& contract();

}  // namespace p2pd::test
