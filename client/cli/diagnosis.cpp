// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/diagnosis.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace p2pclient::cli {

namespace {

using State = Diagnosis::State;

constexpr std::size_t most_pairs_named = 8;

Diagnosis of_versions(const Patient& patient) {
  const auto& daemon = patient.daemon.version;
  if (daemon == patient.client_version) return {"p2pd", State::ok, daemon, ""};
  return {"p2pd", State::note, fmt::format("{}, and p2p-client is {}", daemon, patient.client_version),
          "systemctl restart p2pd.service"};
}

Diagnosis of_back_ends(const std::vector<std::string>& backends) {
  if (backends.empty()) return {"back ends", State::problem, "none: nothing can be mapped", "modprobe vfio-pci"};
  const auto names = fmt::format("{}", fmt::join(backends, ", "));
  if (std::find(backends.begin(), backends.end(), "iommufd") != backends.end()) return {"back ends", State::ok, names, ""};
  return {"back ends", State::note, names + "; no iommufd, whose mappings end with the target even when p2pd is gone",
          "a kernel of 6.19 or newer with CONFIG_IOMMUFD, CONFIG_VFIO_DEVICE_CDEV and CONFIG_VFIO_PCI_DMABUF"};
}

Diagnosis of_virtualization(const std::string& name) {
  if (name == "none") return {"virtualization", State::ok, name, ""};
  return {"virtualization", State::note, name + ": where requests go is the hypervisor's matter, unknown without a description",
          "p2p-client export on the host; its table to /etc/p2pd/peers.toml or the guest's fw_cfg"};
}

Diagnosis of_kernel_rule(const std::string& rule) {
  if (rule == "absent")
    return {"kernel rule", State::note, "this kernel has no p2pdma: its own importers (RDMA, O_DIRECT) take no peer memory",
            "a kernel with CONFIG_PCI_P2PDMA"};
  if (rule == "unknown") return {"kernel rule", State::note, "whether this kernel has p2pdma could not be read", ""};
  return {"kernel rule", State::ok, "p2pdma as of Linux " + rule, ""};
}

Diagnosis of_groups(const std::vector<Device>& devices) {
  std::size_t functions = 0;
  std::size_t without = 0;
  for (const auto& device : devices) {
    if (device.is_bridge) continue;
    ++functions;
    without += device.iommu_group ? 0 : 1;
  }
  if (without == 0) return {"IOMMU", State::ok, fmt::format("all {} functions are in groups", functions), ""};
  const auto state = without == functions ? State::problem : State::note;
  return {"IOMMU", state, fmt::format("{} of {} functions are in no group: these cannot be lent", without, functions),
          "IOMMU on, in the firmware's setup and the kernel's arguments"};
}

std::vector<Diagnosis> of_initiators(const std::vector<Device>& devices, const std::vector<std::string>& offered) {
  if (offered.empty())
    return {{"initiators", State::note, "none is offered: nothing can be lent", "p2p-client offer ADDRESS --group p2p"}};
  std::vector<Diagnosis> found{{"initiators", State::ok, fmt::format("{}", fmt::join(offered, ", ")), ""}};
  for (const auto& device : devices)
    if (device.is_offered && device.driver != "vfio-pci")
      found.push_back({"initiators", State::problem,
                       fmt::format("{} is offered, but {}", device.address,
                                   device.driver.empty() ? "has no driver" : "its driver is " + device.driver),
                       "p2p-client bind " + device.address});
  return found;
}

Diagnosis of_targets(const std::vector<std::string>& enabled) {
  if (enabled.empty()) return {"targets", State::note, "none is enabled: nothing can be mapped", "p2p-client enable ADDRESS:BAR"};
  return {"targets", State::ok, fmt::format("{}", fmt::join(enabled, ", ")), ""};
}

// Who reaches what of all that operators have made ready.
std::vector<Diagnosis> of_pairs(const Matrix& pairs) {
  std::vector<Diagnosis> found;
  std::size_t asked = 0;
  std::size_t reached = 0;
  for (std::size_t i = 0; i < pairs.initiators.size(); ++i) {
    for (std::size_t t = 0; t < pairs.targets.size(); ++t) {
      if (pairs.at(i, t).is_same) continue;
      ++asked;
      const auto answer = pairs.at(i, t).answer;
      if (answer == Answer::yes) {
        ++reached;
        continue;
      }
      found.push_back({"pairs", State::note,
                       fmt::format("{} to {}: {}", pairs.initiators[i], pairs.targets[t], to_string(answer)),
                       fmt::format("p2p-client explain {} {}", pairs.initiators[i], pairs.targets[t])});
    }
  }
  if (asked == 0) return {};
  if (found.size() > most_pairs_named) {
    const auto more = found.size() - most_pairs_named;
    found.resize(most_pairs_named);
    found.push_back({"pairs", State::note, fmt::format("{} more that do not", more), "p2p-client matrix"});
  }
  found.insert(found.begin(), {"pairs", reached == 0 ? State::problem : State::ok,
                               fmt::format("{} of {} reach their target", reached, asked), ""});
  return found;
}

}  // namespace

std::string to_string(Diagnosis::State state) {
  switch (state) {
    case State::ok: return "ok";
    case State::note: return "note";
    case State::problem: return "problem";
  }
  return "";
}

std::vector<std::string> offered_initiators(const std::vector<Device>& devices) {
  std::vector<std::string> names;
  for (const auto& device : devices)
    if (device.is_offered) names.push_back(device.address);
  return names;
}

std::vector<std::string> enabled_targets(const std::vector<Device>& devices) {
  std::vector<std::string> names;
  for (const auto& device : devices)
    for (const auto& target : device.targets)
      if (target.state == "enabled") names.push_back(target.name);
  return names;
}

std::vector<Diagnosis> diagnose(const Patient& patient) {
  std::vector<Diagnosis> found{of_versions(patient)};
  for (const auto& problem : patient.daemon.problems) found.push_back({"p2pd", State::problem, problem, ""});
  found.push_back(of_back_ends(patient.daemon.backends));
  found.push_back(of_virtualization(patient.daemon.virtualization));
  found.push_back(of_kernel_rule(patient.daemon.kernel_rule));
  found.push_back(of_groups(patient.devices));
  const auto add = [&](std::vector<Diagnosis> more) {
    found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  add(of_initiators(patient.devices, offered_initiators(patient.devices)));
  found.push_back(of_targets(enabled_targets(patient.devices)));
  add(of_pairs(patient.pairs));
  return found;
}

bool is_healthy(const std::vector<Diagnosis>& found) {
  return std::none_of(found.begin(), found.end(), [](const Diagnosis& one) { return one.state == State::problem; });
}

}  // namespace p2pclient::cli
