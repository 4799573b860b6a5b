// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The DMA engine of QEMU's educational device (docs/specs/edu.rst): a stand-in for the engine of a real card. It moves
// bytes between the bus and a buffer of its own that the CPU cannot see.
#pragma once

#include <p2pclient/p2pclient.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

class Edu {
 public:
  // Its buffer has 4096 bytes, but QEMU 7.2 ends the machine at a transfer that ends where the buffer ends
  // (hw/misc/edu.c edu_check_range).
  static constexpr std::size_t most = 2048;

  explicit Edu(p2pclient::VfioDevice device) : device_(std::move(device)) {
    constexpr std::uint32_t identification = 0x00ed;  // 0xRRrr00ed
    if ((device_.read<std::uint32_t>(bar, 0) & 0xffff) != identification) throw std::runtime_error("this function is no edu");
    device_.set_bus_master(true);
  }

  // Bus → buffer. `count` in bytes, up to `most`.
  void load(p2pclient::Iova source, std::size_t count) const { transfer(source.value, buffer, count, from_bus); }
  // Buffer → bus.
  void store(p2pclient::Iova destination, std::size_t count) const { transfer(buffer, destination.value, count, to_bus); }

 private:
  static constexpr unsigned bar = 0;
  static constexpr std::uint64_t buffer = 0x40000;
  static constexpr std::uint32_t run = 1;
  static constexpr std::uint32_t from_bus = run;
  static constexpr std::uint32_t to_bus = run | 2;

  void transfer(std::uint64_t source, std::uint64_t destination, std::size_t count, std::uint32_t command) const {
    if (count == 0 || count > most) throw std::runtime_error("edu moves 1 to 2048 bytes at a time");
    write_address(0x80, source);
    write_address(0x88, destination);
    device_.write<std::uint32_t>(bar, 0x90, static_cast<std::uint32_t>(count));
    device_.write<std::uint32_t>(bar, 0x98, command);

    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while ((device_.read<std::uint32_t>(bar, 0x98) & run) != 0) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the DMA engine does not come to an end");
      std::this_thread::sleep_for(std::chrono::milliseconds{5});  // a transfer takes 100 ms
    }
  }

  // The lower half only: a kernel that splits the access in two would lose the upper one.
  void write_address(std::uint64_t offset, std::uint64_t address) const {
    if (address > UINT32_MAX) throw std::runtime_error("address beyond 4 GiB: acquire with fewer address bits");
    device_.write<std::uint32_t>(bar, offset, static_cast<std::uint32_t>(address));
  }

  p2pclient::VfioDevice device_;
};
