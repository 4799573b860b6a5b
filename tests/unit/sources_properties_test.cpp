// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whatever comes, changes and goes, in whatever order it is heard of: the picture that is kept up to date ends as the one that
// is read anew.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "config_space_builder.h"
#include "fake_sysfs.h"
#include "sources/pictures.h"
#include "sources/source.h"

namespace p2pd::test {
namespace {

namespace fs = std::filesystem;

constexpr unsigned slots = 6;
constexpr unsigned virtual_functions = 3;

Address slot(unsigned number) { return {0, 1, static_cast<std::uint8_t>(number), 0}; }
Address virtual_function(unsigned slot, unsigned number) {
  return {0, 1, static_cast<std::uint8_t>(slot), static_cast<std::uint8_t>(number + 1)};
}

// A root port with slots below it, and what udev says about them: with the same words as Watch.
class World {
 public:
  World() {
    tree_.set_kernel("6.1.0-test", true);
    tree_.set_cpu("GenuineIntel", 6, false);
    tree_.add({.address = {0, 0, 1, 0}, .config = ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).bytes(), .group = 1});
    picture_ = fresh();
  }

  void do_something() {
    const auto number = *rc::gen::inRange(0U, slots);
    const bool is_there = there_.contains(number);
    switch (*rc::gen::inRange(0, 6)) {
      case 0: return is_there ? remove(number) : add(number);
      case 1:
        if (is_there) remove(number);
        return add(number);
      case 2:
        if (is_there) bind(number);
        return;
      case 3:
        if (is_there) change(number);
        return;
      case 4:
        if (is_there) set_virtual_functions(number, *rc::gen::inRange(0U, virtual_functions + 1));
        return;
      default: return hear();
    }
  }

  // What Daemon does with what Watch::drain() returned.
  void hear() {
    const auto changes = std::exchange(changes_, {});
    auto now = changes.is_incomplete ? read_everything_again(tree_.options(), picture_, changes.removed).value()
                                     : read_again(tree_.options(), picture_, changes.addresses, changes.removed);
    for (auto& shown : pictures(picture_, std::move(now), changes.removed)) picture_ = std::move(shown);
  }
  // The kernel's buffer overflowed: whatever was to be heard is lost.
  void lose_events() { changes_ = {.addresses = {}, .removed = {}, .is_incomplete = true}; }

  [[nodiscard]] Machine fresh() const { return read_live_machine(tree_.options()).value(); }
  [[nodiscard]] const Machine& picture() const { return picture_; }

 private:
  void tell(const Address& address) { changes_.addresses.push_back(address); }
  void tell_of_removal(const Address& address) {
    tell(address);
    changes_.removed.push_back(address);
  }

  [[nodiscard]] static ConfigSpaceBuilder config(std::uint16_t device, std::uint16_t count) {
    auto builder = ConfigSpaceBuilder().ids(0x1d1d, device).class_code(0x020000).command(6).bar32(0, 0xfe000000).pcie(0);
    return builder.sriov({.enabled = count != 0, .memory_decode = count != 0, .count = count, .bar0 = 0x5000000000});
  }

  void add(unsigned number) {
    const auto device = *rc::gen::element<std::uint16_t>(1, 2);
    tree_.add({.address = slot(number),
               .parent = Address{0, 0, 1, 0},
               .config = config(device, 0).bytes(),
               .bars = {{0, 0xfe000000, 0x1000, memory_bar}},
               .driver = any_driver(),
               .group = 10 + number});
    there_[number] = {device, 0};
    commands_[number] = 6;
    tell(slot(number));
  }
  void remove(unsigned number) {
    set_virtual_functions(number, 0);
    tree_.remove(slot(number));
    there_.erase(number);
    tell_of_removal(slot(number));
  }
  void bind(unsigned number) {
    tree_.bind(slot(number), any_driver());
    tell(slot(number));
  }
  void change(unsigned number) {
    commands_[number] = *rc::gen::element<std::uint16_t>(0, 2, 6);
    write_config(number, config(there_.at(number).first, there_.at(number).second));
    tell(slot(number));
  }
  // The kernel tells of the virtual functions only.
  void set_virtual_functions(unsigned number, unsigned count) {
    auto& [device, before] = there_.at(number);
    if (before == 0 && count == 0) return;  // nobody would be told
    for (unsigned index = 0; index < before; ++index) {
      fs::remove(tree_.device(slot(number)) / ("virtfn" + std::to_string(index)));
      tree_.remove(virtual_function(number, index));
      tell_of_removal(virtual_function(number, index));
    }
    before = static_cast<std::uint16_t>(count);
    write_config(number, config(device, before));
    for (unsigned index = 0; index < count; ++index) {
      tree_.add({.address = virtual_function(number, index),
                 .parent = Address{0, 0, 1, 0},
                 .config = ConfigSpaceBuilder().ids(0xffff, 0xffff).class_code(0x020000).command(0).pcie(0).bytes(),
                 .bars = {{0, 0x5000000000, 0x4000, wide_memory_bar}},
                 .group = 20 + number,
                 .physical_function = slot(number)});
      tell(virtual_function(number, index));
    }
  }
  // The command stays: of virtual functions that come and go between two readings nobody is told.
  void write_config(unsigned number, ConfigSpaceBuilder config) {
    const auto bytes = config.command(commands_.at(number)).bytes();
    tree_.write((tree_.device(slot(number)) / "config").lexically_relative(tree_.top()), {bytes.begin(), bytes.end()});
  }
  static std::string any_driver() { return *rc::gen::element<std::string>("", "vfio-pci", "nvme"); }

  FakeSysfs tree_;
  std::map<unsigned, std::pair<std::uint16_t, std::uint16_t>> there_;  // slot: device id, virtual functions
  std::map<unsigned, std::uint16_t> commands_;
  Watch::Changes changes_;
  Machine picture_;
};

constexpr unsigned sequences_per_case = 5;  // one after the other in the same world, times 100 cases

RC_GTEST_PROP(Picture, EndsAsTheOneThatIsReadAnew, ()) {
  World world;
  for (unsigned sequence = 0; sequence < sequences_per_case; ++sequence) {
    const auto length = *rc::gen::inRange(1, 12);
    for (int count = 0; count < length; ++count) world.do_something();
    if (*rc::gen::inRange(0, 8) == 0) world.lose_events();
    world.hear();
    RC_ASSERT(world.picture() == world.fresh());
  }
}

}  // namespace
}  // namespace p2pd::test
