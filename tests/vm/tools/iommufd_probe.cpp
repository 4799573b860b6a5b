// SPDX-License-Identifier: LGPL-2.1-or-later
//
// iommufd and dma-bufs as the kernel has them, p2pd's among them: one call a line, in whatever order the test wants. Run as root.
//
// A NAME stands for a descriptor; FD, DEVICE and IOMMU are names that a line before has given. Numbers as C writes them.
// Each line gets one: `ok [KEY=VALUE]...` or `error CALL ERRNO`.
//
//   open NAME PATH                                     a cdev of VFIO, /dev/iommu
//   open-by-group NAME GROUP ADDRESS                   the old way to a function: group, container, type1
//   bind DEVICE IOMMU                                  devid=N
//   ioas IOMMU                                         id=N
//   attach DEVICE ID                                   id=N: the page table's
//   detach DEVICE
//   ranges IOMMU ID                                    alignment=N ranges=FIRST-LAST,...
//   export NAME DEVICE BAR FLAGS [OFFSET LENGTH]...    FLAGS: O_RDWR is 2
//   memfd NAME LENGTH
//   udmabuf NAME MEMFD LENGTH                          a dma-buf that is not VFIO's
//   map-file IOMMU ID FD START LENGTH IOVA FLAGS       iova=N; FLAGS: fixed 1, writeable 2, readable 4
//   map-bar IOMMU ID DEVICE BAR LENGTH IOVA            by its mmap, as type1 does it
//   map-memory IOMMU ID IOVA                           a page of this process, which `load` reads from
//   copy IOMMU TO_ID FROM_ID LENGTH TO_IOVA FROM_IOVA
//   unmap IOMMU ID IOVA LENGTH                         length=N
//   destroy IOMMU ID
//   command DEVICE [VALUE]                             value=N: the command register; bit 1 memory, bit 2 bus master
//   reset DEVICE
//   hot-reset DEVICE                                   without a group: what a cdev may
//   engine DEVICE                                      that one is the edu; `engine` alone forgets it
//   load IOVA BYTE                                     fills the page, page → edu
//   store IOVA                                         edu → IOVA, 2048 bytes
//   mmap FD LENGTH                                     and unmaps
//   borrow NAME TARGET                                 a dma-buf that p2pd exports, with its lease; pid=N fd=N: what to take
//   take NAME PID FD                                   a copy of another process' descriptor
//   return                                             gives what was borrowed back to p2pd and waits
//   close-lease                                        of what was borrowed, nothing else
//   close NAME
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/udmabuf.h>
#include <linux/vfio.h>
#include <p2pclient/p2pclient.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "edu.h"
#include "mapping/uapi/vfio_iommufd.h"

namespace {

namespace uapi = p2pd::uapi;
using p2pclient::FileDescriptor;
using p2pclient::VfioDevice;

constexpr std::size_t page_size = 4096;

// A system call has failed.
struct Failed {
  std::string call;
  int error;
};

// What a system call returned, unless it is -1.
int checked(const char* call, int returned) {
  if (returned == -1) throw Failed{call, errno};
  return returned;
}

void* map_shared(int fd, std::size_t length, off_t offset) {
  void* const begin = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
  if (begin == MAP_FAILED) throw Failed{"mmap", errno};
  return begin;
}

std::string hex(std::uint64_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << value;
  return text.str();
}

// The words of a line, taken one after the other.
class Words {
 public:
  explicit Words(const std::string& line) : stream_(line) {}

  std::string word() {
    std::string taken;
    if (!(stream_ >> taken)) throw std::runtime_error("an argument is missing");
    return taken;
  }
  std::uint64_t number() { return std::stoull(word(), nullptr, 0); }
  std::uint32_t small() { return static_cast<std::uint32_t>(number()); }
  bool has_more() { return !(stream_ >> std::ws).eof(); }

 private:
  std::istringstream stream_;
};

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

class Probe {
 public:
  std::string operator()(Words& words) {
    const std::map<std::string, std::string (Probe::*)(Words&)> verbs{
        {"open", &Probe::open},
        {"open-by-group", &Probe::open_by_group},
        {"bind", &Probe::bind},
        {"ioas", &Probe::ioas},
        {"attach", &Probe::attach},
        {"detach", &Probe::detach},
        {"ranges", &Probe::ranges},
        {"export", &Probe::export_bar},
        {"memfd", &Probe::memfd},
        {"udmabuf", &Probe::udmabuf},
        {"map-file", &Probe::map_file},
        {"map-bar", &Probe::map_bar},
        {"map-memory", &Probe::map_memory},
        {"copy", &Probe::copy},
        {"unmap", &Probe::unmap},
        {"destroy", &Probe::destroy},
        {"command", &Probe::command},
        {"reset", &Probe::reset},
        {"hot-reset", &Probe::hot_reset},
        {"engine", &Probe::engine},
        {"load", &Probe::load},
        {"store", &Probe::store},
        {"mmap", &Probe::map_for_cpu},
        {"borrow", &Probe::borrow},
        {"take", &Probe::take},
        {"return", &Probe::give_back},
        {"close-lease", &Probe::close_lease},
        {"close", &Probe::close},
    };
    const auto verb = verbs.find(words.word());
    if (verb == verbs.end()) throw std::runtime_error("unknown command");
    return (this->*verb->second)(words);
  }

 private:
  int fd(Words& words) const { return fds_.at(words.word()).get(); }
  std::string keep(const std::string& name, int fd) {
    fds_[name] = FileDescriptor(fd);
    return "";
  }

  std::string open(Words& words) {
    const auto name = words.word();
    return keep(name, checked("open", ::open(words.word().c_str(), O_RDWR | O_CLOEXEC)));
  }
  std::string open_by_group(Words& words) {
    const auto name = words.word();
    const auto group_path = "/dev/vfio/" + words.word();
    const auto address = words.word();
    FileDescriptor container(checked("open container", ::open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC)));
    FileDescriptor group(checked("open group", ::open(group_path.c_str(), O_RDWR | O_CLOEXEC)));
    int number = container.get();
    checked("VFIO_GROUP_SET_CONTAINER", ::ioctl(group.get(), VFIO_GROUP_SET_CONTAINER, &number));
    checked("VFIO_SET_IOMMU", ::ioctl(container.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
    return keep(name, checked("VFIO_GROUP_GET_DEVICE_FD", ::ioctl(group.get(), VFIO_GROUP_GET_DEVICE_FD, address.c_str())));
  }
  std::string bind(Words& words) {
    const int device = fd(words);
    uapi::vfio_device_bind_iommufd bind{.argsz = sizeof bind, .flags = 0, .iommufd = fd(words), .out_devid = 0};
    checked("VFIO_DEVICE_BIND_IOMMUFD", ::ioctl(device, uapi::bind_iommufd, &bind));
    return " devid=" + std::to_string(bind.out_devid);
  }
  std::string ioas(Words& words) {
    uapi::iommu_ioas_alloc alloc{.size = sizeof alloc, .flags = 0, .out_ioas_id = 0};
    checked("IOMMU_IOAS_ALLOC", ::ioctl(fd(words), uapi::ioas_alloc, &alloc));
    return " id=" + std::to_string(alloc.out_ioas_id);
  }
  std::string attach(Words& words) {
    const int device = fd(words);
    uapi::vfio_device_attach_iommufd_pt attach{.argsz = sizeof attach, .flags = 0, .pt_id = words.small()};
    checked("VFIO_DEVICE_ATTACH_IOMMUFD_PT", ::ioctl(device, uapi::attach_iommufd_pt, &attach));
    return " id=" + std::to_string(attach.pt_id);
  }
  std::string detach(Words& words) {
    uapi::vfio_device_detach_iommufd_pt detach{.argsz = sizeof detach, .flags = 0};
    checked("VFIO_DEVICE_DETACH_IOMMUFD_PT", ::ioctl(fd(words), uapi::detach_iommufd_pt, &detach));
    return "";
  }
  std::string ranges(Words& words) {
    const int iommu = fd(words);
    std::array<uapi::iommu_iova_range, 16> found{};
    uapi::iommu_ioas_iova_ranges question{};
    question.size = sizeof question;
    question.ioas_id = words.small();
    question.num_iovas = static_cast<std::uint32_t>(found.size());
    question.allowed_iovas = address_of(found.data());
    checked("IOMMU_IOAS_IOVA_RANGES", ::ioctl(iommu, uapi::ioas_iova_ranges, &question));
    std::string text = " alignment=" + hex(question.out_iova_alignment) + " ranges=";
    for (std::size_t i = 0; i < question.num_iovas; ++i)
      text += (i == 0 ? "" : ",") + hex(found[i].start) + "-" + hex(found[i].last);
    return text;
  }
  std::string export_bar(Words& words) {
    const auto name = words.word();
    const int device = fd(words);
    uapi::vfio_device_feature_dma_buf wanted{};
    wanted.region_index = words.small();
    wanted.open_flags = words.small();
    std::vector<uapi::vfio_region_dma_range> parts;
    while (words.has_more()) {
      const auto offset = words.number();
      parts.push_back({offset, words.number()});
    }
    wanted.nr_ranges = static_cast<std::uint32_t>(parts.size());
    const vfio_device_feature head{
        .argsz = static_cast<std::uint32_t>(sizeof head + sizeof wanted + parts.size() * sizeof parts[0]),
        .flags = VFIO_DEVICE_FEATURE_GET | uapi::feature_dma_buf};
    std::vector<std::byte> request(head.argsz);
    std::memcpy(request.data(), &head, sizeof head);
    std::memcpy(request.data() + sizeof head, &wanted, sizeof wanted);
    if (!parts.empty()) std::memcpy(request.data() + sizeof head + sizeof wanted, parts.data(), parts.size() * sizeof parts[0]);
    return keep(name, checked("VFIO_DEVICE_FEATURE_DMA_BUF", ::ioctl(device, VFIO_DEVICE_FEATURE, request.data())));
  }
  std::string memfd(Words& words) {
    const auto name = words.word();
    FileDescriptor file(checked("memfd_create", ::memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    checked("ftruncate", ::ftruncate(file.get(), static_cast<off_t>(words.number())));
    checked("F_ADD_SEALS", ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK));
    return keep(name, file.release());
  }
  std::string udmabuf(Words& words) {
    const auto name = words.word();
    udmabuf_create create{};
    create.memfd = static_cast<std::uint32_t>(fd(words));
    create.flags = UDMABUF_FLAGS_CLOEXEC;
    create.size = words.number();
    const FileDescriptor device(checked("open udmabuf", ::open("/dev/udmabuf", O_RDWR | O_CLOEXEC)));
    return keep(name, checked("UDMABUF_CREATE", ::ioctl(device.get(), UDMABUF_CREATE, &create)));
  }
  std::string map_file(Words& words) {
    const int iommu = fd(words);
    uapi::iommu_ioas_map_file map{};
    map.size = sizeof map;
    map.ioas_id = words.small();
    map.fd = fd(words);
    map.start = words.number();
    map.length = words.number();
    map.iova = words.number();
    map.flags = words.small();
    checked("IOMMU_IOAS_MAP_FILE", ::ioctl(iommu, uapi::ioas_map_file, &map));
    return " iova=" + hex(map.iova);
  }
  static void map_pages(int iommu, std::uint32_t ioas, const void* begin, std::size_t length, std::uint64_t iova) {
    uapi::iommu_ioas_map map{.size = sizeof map,
                             .flags = uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable,
                             .ioas_id = ioas,
                             .reserved = 0,
                             .user_va = address_of(begin),
                             .length = length,
                             .iova = iova};
    checked("IOMMU_IOAS_MAP", ::ioctl(iommu, uapi::ioas_map, &map));
  }
  std::string map_bar(Words& words) {
    const int iommu = fd(words);
    const auto ioas = words.small();
    const int device = fd(words);
    const auto begin = static_cast<off_t>(words.number() << 40);  // vfio-pci's place for a region
    const auto length = words.number();
    void* const bar = map_shared(device, length, begin);
    map_pages(iommu, ioas, bar, length, words.number());
    return "";
  }
  std::string map_memory(Words& words) {
    const int iommu = fd(words);
    const auto ioas = words.small();
    map_pages(iommu, ioas, memory_.data(), page_size, words.number());
    return "";
  }
  std::string copy(Words& words) {
    const int iommu = fd(words);
    uapi::iommu_ioas_copy copy{};
    copy.size = sizeof copy;
    copy.flags = uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable;
    copy.dst_ioas_id = words.small();
    copy.src_ioas_id = words.small();
    copy.length = words.number();
    copy.dst_iova = words.number();
    copy.src_iova = words.number();
    checked("IOMMU_IOAS_COPY", ::ioctl(iommu, uapi::ioas_copy, &copy));
    return "";
  }
  std::string unmap(Words& words) {
    const int iommu = fd(words);
    uapi::iommu_ioas_unmap unmap{};
    unmap.size = sizeof unmap;
    unmap.ioas_id = words.small();
    unmap.iova = words.number();
    unmap.length = words.number();
    checked("IOMMU_IOAS_UNMAP", ::ioctl(iommu, uapi::ioas_unmap, &unmap));
    return " length=" + hex(unmap.length);
  }
  std::string destroy(Words& words) {
    const int iommu = fd(words);
    uapi::iommu_destroy destroy{.size = sizeof destroy, .id = words.small()};
    checked("IOMMU_DESTROY", ::ioctl(iommu, uapi::destroy, &destroy));
    return "";
  }
  std::string command(Words& words) {
    const off_t at = (off_t{VFIO_PCI_CONFIG_REGION_INDEX} << 40) + PCI_COMMAND;
    const int device = fd(words);
    std::uint16_t value = 0;
    if (words.has_more()) {
      value = static_cast<std::uint16_t>(words.number());
      checked("pwrite", static_cast<int>(::pwrite(device, &value, sizeof value, at)));
    }
    checked("pread", static_cast<int>(::pread(device, &value, sizeof value, at)));
    return " value=" + hex(value);
  }
  std::string reset(Words& words) {
    checked("VFIO_DEVICE_RESET", ::ioctl(fd(words), VFIO_DEVICE_RESET));
    return "";
  }
  std::string hot_reset(Words& words) {
    vfio_pci_hot_reset request{};
    request.argsz = sizeof request;
    checked("VFIO_DEVICE_PCI_HOT_RESET", ::ioctl(fd(words), VFIO_DEVICE_PCI_HOT_RESET, &request));
    return "";
  }
  std::string engine(Words& words) {
    edu_.reset();
    if (words.has_more()) edu_.emplace(VfioDevice(FileDescriptor::copy_of(fd(words))));
    return "";
  }
  std::string load(Words& words) {
    const p2pclient::Iova source{words.number()};
    memory_.fill(static_cast<std::byte>(words.number()));
    edu_.value().load(source, Edu::most);
    return "";
  }
  std::string store(Words& words) {
    edu_.value().store(p2pclient::Iova{words.number()}, Edu::most);
    return "";
  }
  std::string map_for_cpu(Words& words) {
    const int file = fd(words);
    const auto length = words.number();
    ::munmap(map_shared(file, length, 0), length);
    return "";
  }
  std::string borrow(Words& words) {
    const auto name = words.word();
    borrowed_.emplace(p2pclient::Client::connect().export_dma_buf(words.word()));
    keep(name, FileDescriptor::copy_of(borrowed_->fd()).release());
    return " pid=" + std::to_string(::getpid()) + " fd=" + std::to_string(fds_.at(name).get());
  }
  std::string take(Words& words) {
    const auto name = words.word();
    const FileDescriptor process(checked("pidfd_open", static_cast<int>(::syscall(SYS_pidfd_open, words.small(), 0))));
    return keep(name, checked("pidfd_getfd", static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), words.small(), 0))));
  }
  std::string give_back(Words&) {
    borrowed_.value().release();
    return "";
  }
  std::string close_lease(Words&) {
    borrowed_.value().lease() = p2pclient::Lease();
    return "";
  }
  std::string close(Words& words) {
    if (fds_.erase(words.word()) == 0) throw std::runtime_error("no such name");
    return "";
  }

  std::map<std::string, FileDescriptor> fds_;
  std::optional<Edu> edu_;
  std::optional<p2pclient::DmaBuf> borrowed_;
  alignas(page_size) std::array<std::byte, page_size> memory_{};
};

}  // namespace

int main() {
  Probe probe;
  for (std::string line; std::getline(std::cin, line);) {
    std::string answer;
    try {
      Words words(line);
      answer = "ok" + probe(words);
    } catch (const Failed& failed) {
      answer = "error " + failed.call + " " + ::strerrorname_np(failed.error);
    } catch (const std::system_error& error) {  // out of libp2pclient
      answer = std::string("error VFIO ") + ::strerrorname_np(error.code().value());
    } catch (const std::exception& error) {
      answer = std::string("error probe ") + error.what();
    }
    std::cout << answer << '\n' << std::flush;
  }
}
