// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The watch on a real netlink socket, in a network namespace of its own: events that the kernel had no room for.
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <thread>

#include "model/unique_fd.h"
#include "sources/source.h"

namespace p2pd::test {
namespace {

constexpr unsigned group_of_udev = 2;  // libudev's MONITOR_GROUP_UDEV

class Udevd {
 public:
  Udevd() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT)) {}

  // In the format of the kernel, which libudev takes from udevd's group too.
  void tell(const std::string& address) const {
    const auto device = "/devices/pci0000:00/" + address;
    auto event = "add@" + device + '\0' + "ACTION=add" + '\0' + "DEVPATH=" + device + '\0' + "SUBSYSTEM=pci" + '\0' + "SEQNUM=1";
    event.push_back('\0');
    sockaddr_nl to{};
    to.nl_family = AF_NETLINK;
    to.nl_groups = group_of_udev;
    // It goes to the kernel too, which does not want it: who listens in the group got it before that.
    (void)::sendto(socket_.get(), event.data(), event.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }

 private:
  UniqueFd socket_;
};

TEST(Watch, KnowsWhenEventsWereLost) {
  std::thread([] {  // the namespace is this thread's
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << std::generic_category().message(errno);
    auto watch = Watch::start();
    ASSERT_TRUE(watch) << watch.error().text;
    const Udevd udevd;

    udevd.tell("0000:01:00.0");
    auto changes = watch->drain();
    EXPECT_EQ(changes.addresses, (std::vector<Address>{{0, 1, 0, 0}}));
    EXPECT_FALSE(changes.is_incomplete);

    const int tiny = 1;  // the kernel makes it its smallest
    ASSERT_EQ(::setsockopt(watch->fd(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
    for (int count = 0; count < 100; ++count) udevd.tell("0000:02:00.0");
    changes = watch->drain();
    EXPECT_TRUE(changes.is_incomplete) << "then everything is read again";

    udevd.tell("0000:03:00.0");
    changes = watch->drain();
    EXPECT_EQ(changes.addresses, (std::vector<Address>{{0, 3, 0, 0}})) << "and it goes on";
    EXPECT_FALSE(changes.is_incomplete);
  })
      .join();
}

}  // namespace
}  // namespace p2pd::test
