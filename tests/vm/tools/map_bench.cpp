// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How long it takes to map a BAR for another function and to unmap it: asked of p2pd, or done by the ioctls alone. As root.
//
//   map-bench p2pd BACKEND INITIATOR TARGET BAR LENGTH         ping=US map=US unmap=US cookie=IOVA rounds=N
//   map-bench bare BACKEND INITIATOR TARGET BAR LENGTH IOVA    map=US unmap=US rounds=N
//
// BACKEND is vfio-type1 or iommufd; microseconds, medians. p2pd must have BAR enabled and INITIATOR offered; for the second,
// nobody may have either open.
#include <fcntl.h>
#include <linux/vfio.h>
#include <p2pclient/p2pclient.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <systemd/sd-bus.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "mapping/uapi/vfio_iommufd.h"

namespace {

namespace uapi = p2pd::uapi;
using Clock = std::chrono::steady_clock;
using p2pclient::FileDescriptor;
using Step = std::function<void()>;

int checked(const char* call, int returned) {
  if (returned == -1) throw std::system_error(errno, std::generic_category(), call);
  return returned;
}

FileDescriptor open_file(const std::string& path) {
  return FileDescriptor(checked(path.c_str(), ::open(path.c_str(), O_RDWR | O_CLOEXEC)));
}

double microseconds(Clock::duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.at(values.size() / 2);
}

// For a second: large BARs take long where the kernel maps them page by page.
template <class Round>
void repeat(const Round& round) {
  constexpr int most = 300;
  constexpr int least = 5;
  const auto end = Clock::now() + std::chrono::seconds{1};
  for (int done = 0; done < least || (done < most && Clock::now() < end); ++done) round();
}

void measure(const Step& map, const Step& unmap) {
  map();  // the first one may read in what the others find
  unmap();
  std::vector<double> maps;
  std::vector<double> unmaps;
  repeat([&] {
    const auto begin = Clock::now();
    map();
    const auto mapped = Clock::now();
    unmap();
    maps.push_back(microseconds(mapped - begin));
    unmaps.push_back(microseconds(Clock::now() - mapped));
  });
  std::cout << "map=" << median(maps) << " unmap=" << median(unmaps) << " rounds=" << maps.size();
}

// ---- by p2pd

void measure_ping() {
  sd_bus* opened = nullptr;
  if (sd_bus_open_system(&opened) < 0) throw std::runtime_error("no system bus");
  const std::unique_ptr<sd_bus, decltype(&sd_bus_flush_close_unref)> bus(opened, sd_bus_flush_close_unref);
  std::vector<double> pings;
  repeat([&] {
    const auto begin = Clock::now();
    if (sd_bus_call_method(bus.get(), "org.p2pd1", "/org/p2pd1", "org.freedesktop.DBus.Peer", "Ping", nullptr, nullptr, "") < 0)
      throw std::runtime_error("p2pd does not answer");
    pings.push_back(microseconds(Clock::now() - begin));
  });
  std::cout << "ping=" << median(pings) << ' ';
}

struct Wanted {
  std::string backend;
  std::string initiator;
  std::string target;
  unsigned bar = 0;
  std::uint64_t length = 0;
};

void measure_p2pd(const Wanted& wanted) {
  measure_ping();
  auto client = p2pclient::Client::connect();
  auto holding = client.acquire(wanted.initiator, {.address_bits = 28, .backend = wanted.backend});
  const auto range = wanted.target + ":" + std::to_string(wanted.bar) + ":0+" + std::to_string(wanted.length);
  std::optional<p2pclient::Mapping> mapping;
  measure([&] { mapping = holding.map(range); }, [&] { mapping->release(); });
  std::cout << " cookie=" << mapping->cookie().value << '\n';
}

// ---- by the ioctls

std::string name_in(const std::string& function, const char* directory) {
  for (const auto& entry : std::filesystem::directory_iterator("/sys/bus/pci/devices/" + function + "/" + directory))
    return entry.path().filename().string();
  throw std::runtime_error(function + " is not on vfio-pci");
}

// vfio-pci's place for a region in the device's file.
off_t begin_of(unsigned bar) { return static_cast<off_t>(std::uint64_t{bar} << 40); }

struct Type1 {
  FileDescriptor container = open_file("/dev/vfio/vfio");
  FileDescriptor group;
  FileDescriptor device;

  explicit Type1(const std::string& function) {
    const auto link = std::filesystem::read_symlink("/sys/bus/pci/devices/" + function + "/iommu_group");
    group = open_file("/dev/vfio/" + link.filename().string());
    int number = container.get();
    checked("VFIO_GROUP_SET_CONTAINER", ::ioctl(group.get(), VFIO_GROUP_SET_CONTAINER, &number));
    checked("VFIO_SET_IOMMU", ::ioctl(container.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
    device =
        FileDescriptor(checked("VFIO_GROUP_GET_DEVICE_FD", ::ioctl(group.get(), VFIO_GROUP_GET_DEVICE_FD, function.c_str())));
  }
};

void measure_type1(const Wanted& wanted, std::uint64_t iova) {
  const Type1 initiator(wanted.initiator);
  const Type1 target(wanted.target);
  void* memory = nullptr;
  measure(
      [&] {
        memory = ::mmap(nullptr, wanted.length, PROT_READ | PROT_WRITE, MAP_SHARED, target.device.get(), begin_of(wanted.bar));
        if (memory == MAP_FAILED) checked("mmap", -1);
        vfio_iommu_type1_dma_map map{};
        map.argsz = sizeof map;
        map.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
        map.vaddr = reinterpret_cast<std::uintptr_t>(memory);
        map.iova = iova;
        map.size = wanted.length;
        checked("VFIO_IOMMU_MAP_DMA", ::ioctl(initiator.container.get(), VFIO_IOMMU_MAP_DMA, &map));
      },
      [&] {
        vfio_iommu_type1_dma_unmap unmap{};
        unmap.argsz = sizeof unmap;
        unmap.iova = iova;
        unmap.size = wanted.length;
        checked("VFIO_IOMMU_UNMAP_DMA", ::ioctl(initiator.container.get(), VFIO_IOMMU_UNMAP_DMA, &unmap));
        ::munmap(memory, wanted.length);
      });
}

struct Iommufd {
  FileDescriptor iommufd = open_file("/dev/iommu");
  FileDescriptor device;
  std::uint32_t ioas = 0;

  explicit Iommufd(const std::string& function) : device(open_file("/dev/vfio/devices/" + name_in(function, "vfio-dev"))) {
    uapi::vfio_device_bind_iommufd bind{.argsz = sizeof bind, .flags = 0, .iommufd = iommufd.get(), .out_devid = 0};
    checked("VFIO_DEVICE_BIND_IOMMUFD", ::ioctl(device.get(), uapi::bind_iommufd, &bind));
    uapi::iommu_ioas_alloc alloc{.size = sizeof alloc, .flags = 0, .out_ioas_id = 0};
    checked("IOMMU_IOAS_ALLOC", ::ioctl(iommufd.get(), uapi::ioas_alloc, &alloc));
    ioas = alloc.out_ioas_id;
    uapi::vfio_device_attach_iommufd_pt attach{.argsz = sizeof attach, .flags = 0, .pt_id = ioas};
    checked("VFIO_DEVICE_ATTACH_IOMMUFD_PT", ::ioctl(device.get(), uapi::attach_iommufd_pt, &attach));
  }
};

FileDescriptor export_bar(int device, const Wanted& wanted) {
  uapi::dma_buf_of_one_range question{};
  question.argsz = sizeof question;
  question.flags = VFIO_DEVICE_FEATURE_GET | uapi::feature_dma_buf;
  question.dma_buf.region_index = wanted.bar;
  question.dma_buf.open_flags = O_RDWR | O_CLOEXEC;
  question.dma_buf.nr_ranges = 1;
  question.range.length = wanted.length;
  return FileDescriptor(checked("VFIO_DEVICE_FEATURE_DMA_BUF", ::ioctl(device, VFIO_DEVICE_FEATURE, &question)));
}

void measure_iommufd(const Wanted& wanted, std::uint64_t iova) {
  const Iommufd initiator(wanted.initiator);
  const Iommufd target(wanted.target);
  FileDescriptor dma_buf;
  measure(
      [&] {
        dma_buf = export_bar(target.device.get(), wanted);
        uapi::iommu_ioas_map_file map{};
        map.size = sizeof map;
        map.flags = uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable;
        map.ioas_id = initiator.ioas;
        map.fd = dma_buf.get();
        map.length = wanted.length;
        map.iova = iova;
        checked("IOMMU_IOAS_MAP_FILE", ::ioctl(initiator.iommufd.get(), uapi::ioas_map_file, &map));
      },
      [&] {
        uapi::iommu_ioas_unmap unmap{.size = sizeof unmap, .ioas_id = initiator.ioas, .iova = iova, .length = wanted.length};
        checked("IOMMU_IOAS_UNMAP", ::ioctl(initiator.iommufd.get(), uapi::ioas_unmap, &unmap));
        dma_buf.reset();
      });
}

void run(const std::vector<std::string>& words) {
  const Wanted wanted{.backend = words.at(1),
                      .initiator = words.at(2),
                      .target = words.at(3),
                      .bar = static_cast<unsigned>(std::stoul(words.at(4))),
                      .length = std::stoull(words.at(5), nullptr, 0)};
  if (words.at(0) == "p2pd") return measure_p2pd(wanted);
  const auto iova = std::stoull(words.at(6), nullptr, 0);
  if (wanted.backend == "iommufd")
    measure_iommufd(wanted, iova);
  else
    measure_type1(wanted, iova);
  std::cout << '\n';
}

}  // namespace

int main(int argc, char** argv) try {
  run({argv + 1, argv + argc});
  return 0;
} catch (const std::out_of_range&) {
  std::cerr << "usage: map-bench p2pd|bare BACKEND INITIATOR TARGET BAR LENGTH [IOVA]\n";
  return 64;
} catch (const std::exception& error) {
  std::cerr << "map-bench: error: " << error.what() << '\n';
  return 1;
}
