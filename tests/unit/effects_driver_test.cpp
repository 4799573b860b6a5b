// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A driver that hangs while it lets its function go. Its `unbind` is a FIFO that nobody reads: whoever opens it for writing
// waits, as in the kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "effects_desk.h"
#include "fake_sysfs.h"

namespace p2pd {
namespace {

using testing::IsEmpty;
namespace fs = std::filesystem;

constexpr std::chrono::milliseconds patience{200};

class AHangingDriver : public testing::Test, protected EffectsDesk {
 protected:
  AHangingDriver() {
    tree.add({.address = disk, .driver = "nvme"});
    fs::create_directories(tree.sysfs() / "bus/pci/drivers/vfio-pci");
    EXPECT_EQ(::mkfifo(unbind.c_str(), 0600), 0);
    runner = std::make_unique<Runner>(Runner::Parts{
        .loop = loop.get(),
        .back_ends = {vfio},
        .store = &store,
        .driver_paths = {.sysfs_root = tree.sysfs(), .proc_root = tree.top() / "proc", .vfio_directory = tree.top() / "dev/vfio"},
        .driver_patience = patience,
        .post = [this](Event event) { events.push_back(std::move(event)); },
        .path_of = [](const GrantId&) { return "/org/p2pd1/holding/7"; },
        .fail = {}});
  }
  ~AHangingDriver() override {
    runner.reset();
    if (!reader) reader = let_go();
    // Until the writer, which may be a thread that was left behind, has come and gone.
    std::array<char, 64> text{};
    while (::read(reader.get(), text.data(), text.size()) > 0) continue;
  }

  // From here on the write comes back.
  [[nodiscard]] UniqueFd let_go() const { return UniqueFd(::open(unbind.c_str(), O_RDONLY | O_CLOEXEC)); }
  // The step before it: without a writer on its way the FIFO would keep us.
  void bind() {
    runner->run(BindToVfio{RequestId{5}, {disk}, false});
    const auto override_file = tree.device(disk) / "driver_override";
    std::string text;
    while (text != "vfio-pci") {
      std::ifstream(override_file) >> text;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  [[nodiscard]] bool hangs() const {
    // Without a reader nobody can have written.
    return std::none_of(events.begin(), events.end(),
                        [](const Event& event) { return std::holds_alternative<DriverChanged>(event); });
  }

  const Address disk{0, 9, 0, 0};
  test::FakeSysfs tree;
  fs::path unbind = tree.sysfs() / "bus/pci/drivers/nvme/unbind";
  UniqueFd reader;
  LeaseClient client;
};

TEST_F(AHangingDriver, DelaysNoUnmap) {
  ASSERT_TRUE(open_holding(client).outcome);
  ASSERT_TRUE(map_memory(memory_at(cookie, client_memory())));
  bind();

  ASSERT_TRUE(unmap());
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
  close_holding();
  EXPECT_TRUE(hangs());

  reader = let_go();
  // The tree does nothing by itself: the driver is still there in the end.
  EXPECT_EQ(next<DriverChanged>().outcome.error().code, ErrorCode::failed);
}

TEST_F(AHangingDriver, DelaysTheEndNoLongerThanThereIsPatience) {
  ASSERT_TRUE(open_holding(client).outcome);
  bind();
  close_holding();
  const auto before = std::chrono::steady_clock::now();
  runner.reset();
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, patience) << "one that only takes its time is waited for";
  EXPECT_LT(took, std::chrono::seconds{5});
  EXPECT_TRUE(hangs());
  EXPECT_THAT(store.names(), IsEmpty());
}

}  // namespace
}  // namespace p2pd
