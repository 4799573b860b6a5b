// SPDX-License-Identifier: LGPL-2.1-or-later
#include "driver/binding.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "model/unique_fd.h"

namespace p2pd {

namespace fs = std::filesystem;

namespace {

constexpr const char* vfio_driver = "vfio-pci";

// sysfs of one function, as far as drivers go.
class Device {
 public:
  Device(const SysfsWriter& write, const DriverPaths& paths, const Address& address)
      : write_(write),
        name_(address.to_string()),
        drivers_(paths.sysfs_root / "bus/pci/drivers"),
        probe_(paths.sysfs_root / "bus/pci/drivers_probe"),
        place_(paths.sysfs_root / "bus/pci/devices" / name_),
        vfio_directory_(paths.vfio_directory) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is_there() const { return fs::exists(place_); }
  [[nodiscard]] bool has_vfio_driver() const { return fs::exists(drivers_ / vfio_driver); }
  // "" = none.
  [[nodiscard]] std::string driver() const { return link_name("driver"); }
  [[nodiscard]] std::string driver_override() const {
    const auto text = first_word("driver_override");
    return text == "(null)" ? "" : text;
  }
  [[nodiscard]] bool is_bridge() const { return first_word("class").starts_with("0x0604"); }

  [[nodiscard]] Outcome<void> set_override(const std::string& driver) const {
    // An empty line clears it: driver.c driver_set_override().
    return write_(place_ / "driver_override", driver + "\n");
  }
  [[nodiscard]] Outcome<void> unbind() const { return write_(place_ / "driver/unbind", name_); }
  [[nodiscard]] Outcome<void> bind_to(const std::string& driver) const { return write_(drivers_ / driver / "bind", name_); }
  [[nodiscard]] Outcome<void> probe() const { return write_(probe_, name_); }

  // A group opens only when no copy of its fds is left (group.c vfio_group_fops_open). Any other failure says nothing about
  // that: then the kernel decides.
  [[nodiscard]] Outcome<void> wait_until_nobody_has_it_open(const GroupProbe& probe, std::chrono::milliseconds patience) const {
    const auto group = link_name("iommu_group");
    if (group.empty()) return {};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (probe(vfio_directory_ / group) == EBUSY) {
      if (std::chrono::steady_clock::now() >= deadline)
        return refuse(ErrorCode::busy, fmt::format("somebody has {} open, or a function of its group", name_));
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    return {};
  }

 private:
  [[nodiscard]] std::string link_name(const char* link) const {
    std::error_code error;
    const auto leads_to = fs::read_symlink(place_ / link, error);
    return error ? "" : leads_to.filename().string();
  }
  [[nodiscard]] std::string first_word(const char* file) const {
    std::ifstream stream(place_ / file);
    std::string word;
    stream >> word;
    return word;
  }

  const SysfsWriter& write_;
  std::string name_;
  fs::path drivers_;
  fs::path probe_;
  fs::path place_;
  fs::path vfio_directory_;
};

void complain(const Outcome<void>& outcome) {
  if (!outcome) spdlog::error("while going back: {}", outcome.error().text);
}

// Brings the driver back that was there before; without one there is nothing to bring.
void restore_driver(const Device& device, const std::string& before) {
  if (before.empty() || device.driver() == before) return;
  complain(device.bind_to(before));
}

}  // namespace

Outcome<void> write_sysfs(const fs::path& file, const std::string& text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return refuse_errno(file.string(), errno);
  const auto written = ::write(fd.get(), text.data(), text.size());
  if (written < 0) return refuse_errno(fmt::format("write {} to {}", text.substr(0, text.find('\n')), file.string()), errno);
  return {};
}

Outcome<void> bind_to_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const Address& address, bool force,
                              const FaultInjector& fail) {
  const Device device(write, paths, address);
  const auto& name = device.name();
  if (!device.is_there()) return refuse(ErrorCode::not_found, "there is no function " + name);
  if (device.is_bridge()) return refuse(ErrorCode::invalid_argument, name + " is a bridge: vfio-pci does not drive bridges");
  const auto before = device.driver();
  if (before == vfio_driver) return {};
  if (!device.has_vfio_driver()) return refuse(ErrorCode::not_supported, "vfio-pci is not loaded: modprobe vfio-pci");
  if (const auto users = users_of(paths, address); !users.empty() && !force)
    return refuse(ErrorCode::busy, fmt::format("{} is in use: {}", name, fmt::join(users, "; ")));

  const auto override_before = device.driver_override();
  Transaction transaction(fmt::format("bind {} to vfio-pci", name), fail);
  const Step steps[] = {
      // Undone last, when the override of before is back: else the old driver would not match.
      {"note the driver", [] { return Outcome<void>{}; }, [&] { restore_driver(device, before); }},
      {"set driver_override", [&] { return device.set_override(vfio_driver); },
       [&] { complain(device.set_override(override_before)); }},
      {"unbind from " + (before.empty() ? "no driver" : before),
       [&] { return before.empty() ? Outcome<void>{} : device.unbind(); },
       {}},
      {"probe", [&] { return device.probe(); },
       [&] {
         if (device.driver() == vfio_driver) complain(device.unbind());
       }},
      {"verify",
       [&]() -> Outcome<void> {
         if (const auto now = device.driver(); now != vfio_driver)
           return refuse(ErrorCode::failed, "the kernel gave it " + (now.empty() ? "no driver" : now));
         return {};
       },
       {}},
  };
  for (const auto& step : steps)
    if (auto done = transaction.run(step); !done) return done;
  transaction.keep();
  return {};
}

Outcome<void> unbind_from_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const Address& address,
                                  std::chrono::milliseconds patience, const GroupProbe& group) {
  const Device device(write, paths, address);
  const auto& name = device.name();
  if (!device.is_there()) return refuse(ErrorCode::not_found, "there is no function " + name);
  const auto before = device.driver();
  const auto override_before = device.driver_override();

  Transaction transaction(fmt::format("unbind {} from vfio-pci", name));
  if (before == vfio_driver) {
    const auto wait = [&] { return device.wait_until_nobody_has_it_open(group, patience); };
    if (auto done = transaction.run({"check that nobody has it open", wait, {}}); !done) return done;
  }
  if (override_before == vfio_driver) {
    const auto restore = [&] { complain(device.set_override(override_before)); };
    if (auto done = transaction.run({"clear driver_override", [&] { return device.set_override(""); }, restore}); !done)
      return done;
  }
  if (before == vfio_driver) {
    if (auto done = transaction.run({"unbind", [&] { return device.unbind(); }, {}}); !done) return done;
  }
  transaction.keep();
  // A function that no driver wants has none: that is no failure, but one that fails to start is worth a line.
  if (device.driver().empty())
    if (const auto probed = device.probe(); !probed) spdlog::warn("{} got no driver: {}", name, probed.error().text);
  return {};
}

Outcome<void> bind_all_to_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const std::vector<Address>& addresses,
                                  bool force, const FaultInjector& fail) {
  std::vector<std::string> in_use;
  for (const auto& address : addresses) {
    const auto users = force ? std::vector<std::string>{} : users_of(paths, address);
    if (!users.empty()) in_use.push_back(fmt::format("{} is in use: {}", address.to_string(), fmt::join(users, "; ")));
  }
  if (!in_use.empty()) return refuse(ErrorCode::busy, fmt::format("{}", fmt::join(in_use, "; ")));

  Transaction transaction("bind to vfio-pci", fail);
  for (const auto& address : addresses) {
    const Device device(write, paths, address);
    const auto go_back = [device, driver = device.driver(), driver_override = device.driver_override()] {
      if (driver == vfio_driver) return;
      complain(device.set_override(driver_override));
      if (device.driver() == vfio_driver) complain(device.unbind());
      restore_driver(device, driver);
    };
    // Its users were looked at above.
    const auto bind = [&] { return bind_to_vfio_by(write, paths, address, true, fail); };
    if (auto done = transaction.run({device.name(), bind, go_back}); !done) return done;
  }
  transaction.keep();
  return {};
}

Outcome<void> unbind_all_from_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const std::vector<Address>& addresses,
                                      std::chrono::milliseconds patience, const GroupProbe& group, const FaultInjector& fail) {
  Transaction transaction("unbind from vfio-pci", fail);
  for (const auto& address : addresses) {
    const Device device(write, paths, address);
    const auto unbind = [&] { return unbind_from_vfio_by(write, paths, address, patience, group); };
    const auto go_back = [&write, &paths, address, was_bound = device.driver() == vfio_driver] {
      if (was_bound) complain(bind_to_vfio_by(write, paths, address, true));
    };
    if (auto done = transaction.run({device.name(), unbind, go_back}); !done) return done;
  }
  transaction.keep();
  return {};
}

Outcome<void> bind_to_vfio(const DriverPaths& paths, const std::vector<Address>& addresses, bool force) {
  if (addresses.size() != 1) return bind_all_to_vfio_by(write_sysfs, paths, addresses, force);
  return bind_to_vfio_by(write_sysfs, paths, addresses.front(), force);
}

int probe_group(const fs::path& node) {
  const UniqueFd fd(::open(node.c_str(), O_RDWR | O_CLOEXEC));
  return fd ? 0 : errno;
}

Outcome<void> unbind_from_vfio(const DriverPaths& paths, const std::vector<Address>& addresses, bool force) {
  // Whom it was taken from was told a moment ago, and still has to close it.
  const std::chrono::seconds patience{force ? 2 : 0};
  if (addresses.size() != 1) return unbind_all_from_vfio_by(write_sysfs, paths, addresses, patience);
  return unbind_from_vfio_by(write_sysfs, paths, addresses.front(), patience);
}

}  // namespace p2pd
