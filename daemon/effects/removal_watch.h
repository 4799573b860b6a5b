// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether somebody waits for a function that is lent. The kernel would say so by an eventfd, but whoever has the device can put
// another one in its place; no event of udev comes before the wait is over. What nobody can hide: a driver's link goes from
// sysfs first (dd.c __device_release_driver). So it is looked at, once a second, while anything is lent. Loop's thread only.
#pragma once

#include <filesystem>
#include <functional>
#include <set>

#include "effects/event_source.h"
#include "model/address.h"

namespace p2pd {

class RemovalWatch {
 public:
  // `on_wanted` is called from the loop, each time that one is found waited for.
  RemovalWatch(sd_event* loop, const std::filesystem::path& sysfs_root, std::function<void(const Address&)> on_wanted);
  RemovalWatch(const RemovalWatch&) = delete;
  RemovalWatch& operator=(const RemovalWatch&) = delete;
  ~RemovalWatch() = default;

  void add(const Address& function);
  void remove(const Address& function);

 private:
  void look();
  void set_timer();

  std::filesystem::path devices_;
  std::function<void(const Address&)> on_wanted_;
  std::set<Address> functions_;
  EventSource timer_;
};

}  // namespace p2pd
