// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A program that runs on iommufd with a device of its own imports a target that p2pd exports as a dma-buf: RAM → edu → BAR →
// edu → other RAM, compared. Then it gives the dma-buf back, and the same DMA goes nowhere. Needs Linux 6.19 with iommufd, a
// device on vfio-pci that p2pd does not lend, and the right to open it (root).
#include <fcntl.h>
#include <p2pclient/p2pclient.h>
#include <sys/ioctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include "edu.h"
#include "mapping/uapi/vfio_iommufd.h"

namespace {

namespace uapi = p2pd::uapi;

constexpr std::size_t page = 4096;
// Below the 28 bits that edu reaches.
constexpr std::uint64_t source_iova = 0x100000;
constexpr std::uint64_t sink_iova = 0x200000;
constexpr std::uint64_t target_iova = 0x300000;

p2pclient::FileDescriptor open_device(const std::string& path) {
  p2pclient::FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), path);
  return fd;
}

template <class Question>
void ask(const char* what, int fd, unsigned long request, Question& question) {
  if (::ioctl(fd, request, &question) < 0) throw std::system_error(errno, std::generic_category(), what);
}

// The function's node: sysfs names it.
std::string node_of(const std::string& address) {
  for (const auto& entry : std::filesystem::directory_iterator("/sys/bus/pci/devices/" + address + "/vfio-dev"))
    return "/dev/vfio/devices/" + entry.path().filename().string();
  throw std::runtime_error(address + " has no VFIO node: it is not on vfio-pci");
}

// An address space of this program's own, with one device in it.
class AddressSpace {
 public:
  explicit AddressSpace(const std::string& address)
      : iommufd_(open_device("/dev/iommu")), device_(open_device(node_of(address))) {
    uapi::vfio_device_bind_iommufd bind{};
    bind.argsz = sizeof bind;
    bind.iommufd = iommufd_.get();
    ask("bind the device", device_.get(), uapi::bind_iommufd, bind);
    uapi::iommu_ioas_alloc allocate{};
    allocate.size = sizeof allocate;
    ask("make an address space", iommufd_.get(), uapi::ioas_alloc, allocate);
    ioas_ = allocate.out_ioas_id;
    uapi::vfio_device_attach_iommufd_pt attach{};
    attach.argsz = sizeof attach;
    attach.pt_id = ioas_;
    ask("attach the device", device_.get(), uapi::attach_iommufd_pt, attach);
  }

  void map(std::uint64_t iova, void* memory, std::uint32_t direction) const {
    uapi::iommu_ioas_map map{};
    map.size = sizeof map;
    map.flags = uapi::map_fixed_iova | direction;
    map.ioas_id = ioas_;
    map.user_va = reinterpret_cast<std::uintptr_t>(memory);
    map.length = page;
    map.iova = iova;
    ask("map memory", iommufd_.get(), uapi::ioas_map, map);
  }
  void import(std::uint64_t iova, int dma_buf) const {
    uapi::iommu_ioas_map_file map{};
    map.size = sizeof map;
    map.flags = uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable;
    map.ioas_id = ioas_;
    map.fd = dma_buf;
    map.length = page;
    map.iova = iova;
    ask("import the dma-buf", iommufd_.get(), uapi::ioas_map_file, map);
  }
  [[nodiscard]] p2pclient::VfioDevice device() const { return p2pclient::VfioDevice(device_.duplicate()); }

 private:
  p2pclient::FileDescriptor iommufd_;
  p2pclient::FileDescriptor device_;
  std::uint32_t ioas_ = 0;
};

struct alignas(page) Page {
  std::array<char, page> bytes{};
};

int run(const std::string& initiator, const std::string& target, const std::string& text) {
  auto client = p2pclient::Client::connect();
  auto dma_buf = client.export_dma_buf(target);
  std::cout << "exported " << target << " as " << dma_buf.path() << '\n';

  static Page source;
  static Page sink;
  const auto count = std::min(text.size(), Edu::most);
  const AddressSpace space(initiator);
  space.map(source_iova, &source, uapi::map_readable);
  space.map(sink_iova, &sink, uapi::map_writeable);
  space.import(target_iova, dma_buf.fd());
  const Edu edu(space.device());

  std::copy_n(text.begin(), count, source.bytes.begin());
  edu.load({source_iova}, count);
  edu.store({target_iova}, count);
  edu.load({target_iova}, count);
  edu.store({sink_iova}, count);
  const bool same =
      std::equal(source.bytes.begin(), source.bytes.begin() + static_cast<std::ptrdiff_t>(count), sink.bytes.begin());
  std::cout << "compared " << count << " bytes: " << (same ? "equal" : "DIFFERENT") << '\n';

  std::ranges::transform(source.bytes, source.bytes.begin(), [](char c) { return static_cast<char>(~c); });
  edu.load({source_iova}, count);
  dma_buf.release();
  edu.store({target_iova}, count);
  std::cout << "released, then the same DMA with every bit inverted\n";
  return same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string initiator;
  std::string target;
  std::string text = "One device wrote this into a dma-buf of another.";
  CLI::App app{"Imports a target as a dma-buf into an iommufd of this program's own.", "dma-buf-import"};
  app.add_option("INITIATOR", initiator, "an edu device on vfio-pci that p2pd does not lend, dddd:bb:dd.f")->required();
  app.add_option("TARGET", target, "a BAR, ADDRESS:BAR[:OFFSET+LENGTH]")->required();
  app.add_option("--text", text, "what is moved, up to 2048 bytes");
  try {
    app.parse(argc, argv);
    return run(initiator, target, text);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 64;
  } catch (const std::exception& error) {
    std::cerr << "dma-buf-import: error: " << error.what() << '\n';
    return 1;
  }
}
