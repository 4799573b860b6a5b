// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Small machines and verdicts as the client sees them, and p2p-client as a function.
#pragma once

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "cli/app.h"
#include "p2pclient/device.h"
#include "p2pclient/verdict.h"
#include "test_paths.h"

namespace p2pclient::test {

inline Device a_function(const std::string& address, const std::string& parent = "") {
  Device device;
  device.address = address;
  device.parent = parent;
  device.vendor = 0x1af4;
  device.device = 0x0042;
  device.class_code = 0x058000;
  device.class_name = "Memory controller";
  device.port_type = "endpoint";
  return device;
}

inline Device a_bridge(const std::string& address, const std::string& parent = "") {
  auto device = a_function(address, parent);
  device.is_bridge = true;
  device.class_code = 0x060400;
  device.class_name = "PCI bridge";
  device.port_type = "root-port";
  return device;
}

inline Bar a_memory_bar(unsigned index, std::uint64_t size, std::uint64_t bus_address) {
  Bar bar;
  bar.index = index;
  bar.size = size;
  bar.bus_address = BusAddress{bus_address};
  bar.is_64bit = true;
  bar.is_assigned = true;
  return bar;
}

inline Blocker a_blocker(const std::string& code, const std::string& severity) {
  Blocker blocker;
  blocker.code = code;
  blocker.severity = severity;
  blocker.where = "0000:00:02.0";
  blocker.observed = "seen";
  blocker.needed = "wanted";
  blocker.remedy = "do this";
  return blocker;
}

struct Ran {
  int status = -1;
  std::string out;
  std::string err;
};

inline Ran p2p_client(const std::vector<std::string>& arguments, const cli::Style& style = {}) {
  std::ostringstream out;
  std::ostringstream err;
  Ran ran;
  ran.status = cli::run(arguments, {out, err, style});
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

inline std::string read_text(const std::string& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The platform knowledge of this tree, not of what is installed.
inline const std::string platform = P2PD_PLATFORM_FILES;

// A bus that is not there.
inline const std::string no_bus = "unix:path=/nonexistent/bus";

}  // namespace p2pclient::test
