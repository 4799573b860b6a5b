// SPDX-License-Identifier: LGPL-2.1-or-later
#include <libudev.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "sources/source.h"

namespace p2pd {

namespace {

struct Unref {
  void operator()(udev* context) const { udev_unref(context); }
  void operator()(udev_monitor* monitor) const { udev_monitor_unref(monitor); }
  void operator()(udev_device* device) const { udev_device_unref(device); }
};

// A rescan of a big machine sends some thousand events of about 1 KiB before we run; the kernel takes memory only for
// those that wait.
constexpr int receive_buffer = 16 << 20;

}  // namespace

struct Watch::Impl {
  std::unique_ptr<udev, Unref> context;
  std::unique_ptr<udev_monitor, Unref> monitor;
};

Watch::Watch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Watch::Watch(Watch&&) noexcept = default;
Watch& Watch::operator=(Watch&&) noexcept = default;
Watch::~Watch() = default;

Outcome<Watch> Watch::start() {
  auto impl = std::make_unique<Impl>();
  impl->context.reset(udev_new());
  if (!impl->context) return refuse_errno("udev", errno);
  // "udev", not "kernel": after udevd's rules have run, so that what they set is there.
  impl->monitor.reset(udev_monitor_new_from_netlink(impl->context.get(), "udev"));
  if (!impl->monitor) return refuse_errno("udev monitor", errno);
  if (const int error = udev_monitor_filter_add_match_subsystem_devtype(impl->monitor.get(), "pci", nullptr); error < 0)
    return refuse_errno("udev monitor filter", -error);
  // Refused without CAP_NET_ADMIN: then the buffer is smaller, and an overflow is noticed by drain().
  static_cast<void>(udev_monitor_set_receive_buffer_size(impl->monitor.get(), receive_buffer));
  if (const int error = udev_monitor_enable_receiving(impl->monitor.get()); error < 0)
    return refuse_errno("udev monitor", -error);
  return Watch(std::move(impl));
}

int Watch::fd() const { return udev_monitor_get_fd(impl_->monitor.get()); }

Watch::Changes Watch::drain() {
  Changes changes;
  for (;;) {
    errno = 0;
    const std::unique_ptr<udev_device, Unref> device(udev_monitor_receive_device(impl_->monitor.get()));
    if (device) {
      const auto* name = udev_device_get_sysname(device.get());
      const auto* action = udev_device_get_action(device.get());
      if (const auto address = Address::parse(name == nullptr ? std::string_view() : name)) {
        changes.addresses.push_back(*address);
        if (action != nullptr && std::string_view(action) == "remove") changes.removed.push_back(*address);
      }
      continue;
    }
    if (errno == EAGAIN || errno == 0) break;
    if (errno == EINTR) continue;
    // ENOBUFS: events were lost. Anything else is an event that could not be understood, which is as good as lost.
    changes.is_incomplete = true;
    if (errno != ENOBUFS) break;
  }
  for (auto* addresses : {&changes.addresses, &changes.removed}) {
    std::sort(addresses->begin(), addresses->end());
    addresses->erase(std::unique(addresses->begin(), addresses->end()), addresses->end());
  }
  return changes;
}

}  // namespace p2pd
