// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fake_vfio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace p2pd::fakes {

namespace {

// A file that says whether any copy of it is open anywhere: a pipe, of which we keep the other end.
struct Watched {
  UniqueFd file;     // the one that is handed out
  UniqueFd witness;  // hangs up when the last copy is closed
};

Watched make_watched() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) broken("pipe2");
  return {UniqueFd(ends[1]), UniqueFd(ends[0])};
}

bool has_hung_up(int witness) {
  pollfd poll_fd{.fd = witness, .events = 0, .revents = 0};
  return ::poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP) != 0;
}

std::string text_of(const Range<Iova>& range) { return fmt::format("{:#x}+{:#x}", range.begin.value, range.length.value); }

// mincore(2): ENOMEM = the range has pages that are not mapped.
bool is_mapped_by_cpu(std::byte* memory, std::uint64_t length) {
  std::vector<unsigned char> pages(length / page_size.value);
  return ::mincore(memory, length, pages.data()) == 0;
}

struct Mapping {
  Range<Iova> iova;
  std::byte* memory;  // null: left behind by another process
  Access access;
};

}  // namespace

struct FakeVfio::Kernel {
  struct Container {
    Address initiator;
    UniqueFd witness;
    std::vector<Mapping> mappings;
  };
  struct Group {
    std::vector<UniqueFd> witnesses;
  };
  struct BarMemory {
    UniqueFd memfd;
    Bytes size;
  };

  std::mutex mutex;
  FakeFdStore* store = nullptr;
  std::vector<Range<Iova>> valid_iovas{{Iova{0}, Bytes{0xfee00000}}, {Iova{0xfef00000}, Bytes{0x7fffffffff - 0xfef00000 + 1}}};
  std::map<FileIdentity, Container> containers;
  std::map<std::uint32_t, Group> groups;
  std::map<Address, std::uint32_t> group_of;
  std::map<std::pair<Address, unsigned>, Bytes> bar_sizes;
  std::map<std::pair<Address, unsigned>, BarMemory> bars;
  std::map<FileIdentity, CpuMapping> dma_bufs;
  bool exports_dma_bufs = false;
  std::map<Address, UniqueFd> wanted;  // a copy of who has asked to be told
  std::map<std::string, Reason> failures;
  std::vector<std::string> calls;

  std::optional<Reason> failure_of(const std::string& call) {
    const auto node = failures.extract(call);
    if (node.empty()) return std::nullopt;
    return node.mapped();
  }

  [[nodiscard]] bool is_group_open(std::uint32_t number) const {
    const auto group = groups.find(number);
    if (group == groups.end()) return false;
    const auto& witnesses = group->second.witnesses;
    return std::any_of(witnesses.begin(), witnesses.end(), [](const UniqueFd& witness) { return !has_hung_up(witness.get()); });
  }

  BarMemory& bar(const Address& address, unsigned index) {
    auto& memory = bars[{address, index}];
    if (!memory.memfd) {
      const auto size = bar_sizes.find({address, index});
      memory.size = size == bar_sizes.end() ? Bytes{0x10000} : size->second;
      memory.memfd = UniqueFd(::memfd_create("bar", MFD_CLOEXEC));
      if (::ftruncate(memory.memfd.get(), static_cast<off_t>(memory.size.value)) < 0) broken("ftruncate");
    }
    return memory;
  }

  // Who keeps the group open keeps the mappings alive: platform-knowledge §3.5.
  std::vector<Mapping>* mappings_of(const Address& initiator) {
    for (auto& [identity, container] : containers)
      if (container.initiator == initiator && is_live(container)) return &container.mappings;
    return nullptr;
  }
  [[nodiscard]] bool is_live(const Container& container) const {
    const auto group = group_of.find(container.initiator);
    return !has_hung_up(container.witness.get()) || (group != group_of.end() && is_group_open(group->second));
  }

  const Mapping* find(const Address& initiator, Iova iova, std::uint64_t length, Access access) {
    const auto* mappings = mappings_of(initiator);
    if (mappings == nullptr) return nullptr;
    const auto range = make_range(iova, Bytes{length});
    const auto found = std::find_if(mappings->begin(), mappings->end(),
                                    [&](const Mapping& mapping) { return range && mapping.iova.contains(*range); });
    return found != mappings->end() && allows(found->access, access) ? &*found : nullptr;
  }
};

namespace {

class FakeFunction final : public OpenedFunction {
 public:
  FakeFunction(std::shared_ptr<FakeVfio::Kernel> kernel, Address address, UniqueFd container, UniqueFd group, UniqueFd device)
      : kernel_(std::move(kernel)),
        address_(address),
        container_(std::move(container)),
        group_(std::move(group)),
        device_(std::move(device)),
        as_dma_buf_(kernel_->exports_dma_bufs) {}

  ~FakeFunction() override {
    const std::lock_guard lock(kernel_->mutex);
    kernel_->calls.push_back("close " + address_.to_string());
    kernel_->wanted.erase(address_);
    if (!mappings().empty()) broken("closed without unmapping: " + address_.to_string());
    if (kernel_->store == nullptr) return;
    for (const auto& keep : fds_to_keep())
      if (!kernel_->store->name_of(keep.fd).empty()) broken("closed while the fd store has a copy: " + address_.to_string());
  }

  Outcome<void> map(Range<Iova> iova, const DmaMemory& dma_memory, Access access) override {
    const std::lock_guard lock(kernel_->mutex);
    const auto* cpu = std::get_if<CpuMapping>(&dma_memory);
    auto* const memory =
        cpu != nullptr ? cpu->data() : kernel_->dma_bufs.at(identity_of(std::get<UniqueFd>(dma_memory).get())).data();
    kernel_->calls.push_back(fmt::format("map {} {} {}", address_.to_string(), text_of(iova), to_string(access)));
    check_kept();
    if (!is_page_aligned(iova.begin.value) || !is_page_aligned(iova.length.value) || !make_range(iova.begin, iova.length))
      broken("mapped something that is not whole pages: " + text_of(iova));
    const auto& valid = kernel_->valid_iovas;
    if (std::none_of(valid.begin(), valid.end(), [&](const auto& range) { return range.contains(iova); }))
      broken("mapped outside of the valid IOVAs: " + text_of(iova));
    for (const auto& mapping : mappings())
      if (mapping.iova.overlaps(iova)) broken("mapped over a mapping: " + text_of(iova));
    if (!is_mapped_by_cpu(memory, iova.length.value)) broken("mapped memory that is not there: " + text_of(iova));
    if (const auto reason = kernel_->failure_of("map")) return tl::unexpected(*reason);
    mappings().push_back({iova, memory, access});
    return {};
  }

  Outcome<void> unmap(Range<Iova> iova) override {
    const std::lock_guard lock(kernel_->mutex);
    kernel_->calls.push_back(fmt::format("unmap {} {}", address_.to_string(), text_of(iova)));
    const auto found =
        std::find_if(mappings().begin(), mappings().end(), [&](const Mapping& mapping) { return mapping.iova == iova; });
    if (found == mappings().end()) broken("unmapped something that is not mapped: " + text_of(iova));
    check_memory(*found);
    if (const auto reason = kernel_->failure_of("unmap")) return tl::unexpected(*reason);
    mappings().erase(found);
    return {};
  }

  Outcome<void> unmap_all() override {
    const std::lock_guard lock(kernel_->mutex);
    kernel_->calls.push_back("unmap_all " + address_.to_string());
    for (const auto& mapping : mappings()) check_memory(mapping);
    if (const auto reason = kernel_->failure_of("unmap_all")) return tl::unexpected(*reason);
    mappings().clear();
    return {};
  }

  bool maps_bars_as_dma_buf() const override { return as_dma_buf_; }

  Outcome<CpuMapping> map_bar(unsigned bar, Bytes offset, Bytes length) override {
    const std::lock_guard lock(kernel_->mutex);
    return open_bar("map_bar", bar, offset, length);
  }

  Outcome<UniqueFd> export_bar(unsigned bar, Bytes offset, Bytes length) override {
    const std::lock_guard lock(kernel_->mutex);
    auto memory = open_bar("export_bar", bar, offset, length);
    if (!memory) return error_of(memory);
    UniqueFd dma_buf(::memfd_create("dma-buf", MFD_CLOEXEC));
    kernel_->dma_bufs.insert_or_assign(identity_of(dma_buf.get()), std::move(*memory));
    return dma_buf;
  }

  Outcome<UniqueFd> tell_when_wanted() override {
    const std::lock_guard lock(kernel_->mutex);
    kernel_->calls.push_back("tell_when_wanted " + address_.to_string());
    if (const auto reason = kernel_->failure_of("tell_when_wanted")) return tl::unexpected(*reason);
    UniqueFd eventfd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    kernel_->wanted.insert_or_assign(address_, UniqueFd::duplicate(eventfd.get()));
    return eventfd;
  }

  Outcome<void> suspend_exports() override {
    const std::lock_guard lock(kernel_->mutex);
    kernel_->calls.push_back("suspend_exports " + address_.to_string());
    if (const auto reason = kernel_->failure_of("suspend_exports")) return tl::unexpected(*reason);
    return {};
  }

  Outcome<void> reset() override {
    const std::lock_guard lock(kernel_->mutex);
    kernel_->calls.push_back("reset " + address_.to_string());
    if (!mappings().empty()) broken("reset while it maps: " + address_.to_string());
    if (const auto reason = kernel_->failure_of("reset")) return tl::unexpected(*reason);
    return {};
  }

  std::vector<Range<Iova>> valid_iovas() const override {
    const std::lock_guard lock(kernel_->mutex);
    return kernel_->valid_iovas;
  }
  int device_fd() const override { return device_.get(); }
  std::vector<Keep> fds_to_keep() const override { return {{container_.get(), 'c'}, {group_.get(), 'g'}, {device_.get(), 'd'}}; }

 private:
  std::vector<Mapping>& mappings() { return kernel_->containers.at(identity_of(container_.get())).mappings; }

  Outcome<CpuMapping> open_bar(const std::string& call, unsigned bar, Bytes offset, Bytes length) {
    kernel_->calls.push_back(fmt::format("{} {}:{}:{:#x}+{:#x}", call, address_.to_string(), bar, offset.value, length.value));
    if (const auto reason = kernel_->failure_of(call)) return tl::unexpected(*reason);
    const auto& memory = kernel_->bar(address_, bar);
    if (offset.value > memory.size.value || length.value > memory.size.value - offset.value)
      return refuse(ErrorCode::not_supported, "beyond the BAR");
    void* begin =
        ::mmap(nullptr, length.value, PROT_READ | PROT_WRITE, MAP_SHARED, memory.memfd.get(), static_cast<off_t>(offset.value));
    if (begin == MAP_FAILED) return refuse_errno("mmap", errno);
    return CpuMapping(begin, length.value);
  }

  // Container, group, device, and the lease of the same holding.
  void check_kept() {
    if (kernel_->store == nullptr) return;
    for (const auto& keep : fds_to_keep())
      if (kernel_->store->name_of(keep.fd).empty()) broken("mapped before all fds were in the fd store");
    const auto container = kernel_->store->name_of(container_.get());
    const auto lease = container.substr(0, container.find('.')) + ".l";
    if (!kernel_->store->was_ever_kept(lease)) broken("mapped before the lease was in the fd store: " + lease);
  }

  void check_memory(const Mapping& mapping) {
    if (mapping.memory != nullptr && !is_mapped_by_cpu(mapping.memory, mapping.iova.length.value))
      broken("memory went before its mapping: " + text_of(mapping.iova));
  }

  std::shared_ptr<FakeVfio::Kernel> kernel_;
  Address address_;
  UniqueFd container_;
  UniqueFd group_;
  UniqueFd device_;
  bool as_dma_buf_;
};

}  // namespace

FakeVfio::FakeVfio(FakeFdStore* store) : kernel_(std::make_shared<Kernel>()) { kernel_->store = store; }

FakeVfio::~FakeVfio() = default;

Outcome<void> FakeVfio::probe() const {
  const std::lock_guard lock(kernel_->mutex);
  if (const auto reason = kernel_->failure_of("probe")) return tl::unexpected(*reason);
  return {};
}

Outcome<std::unique_ptr<OpenedFunction>> FakeVfio::open(const Address& address, std::uint32_t iommu_group) {
  const std::lock_guard lock(kernel_->mutex);
  kernel_->calls.push_back("open " + address.to_string());
  if (const auto reason = kernel_->failure_of("open")) return tl::unexpected(*reason);
  if (kernel_->is_group_open(iommu_group))
    return refuse(ErrorCode::busy, "a copy of a file descriptor of this group is still open elsewhere");

  auto container = make_watched();
  auto group = make_watched();
  auto device = make_watched();
  // A new address space: what an older container of this function mapped went with its last copy.
  std::erase_if(kernel_->containers, [&](const auto& entry) { return entry.second.initiator == address; });
  kernel_->containers.emplace(identity_of(container.file.get()), Kernel::Container{address, std::move(container.witness), {}});
  auto& witnesses = kernel_->groups[iommu_group].witnesses;
  witnesses.clear();
  witnesses.push_back(std::move(group.witness));
  witnesses.push_back(std::move(device.witness));
  kernel_->group_of[address] = iommu_group;
  return std::make_unique<FakeFunction>(kernel_, address, std::move(container.file), std::move(group.file),
                                        std::move(device.file));
}

Outcome<void> FakeVfio::unmap_all_in(int address_space) {
  const std::lock_guard lock(kernel_->mutex);
  const auto found = kernel_->containers.find(identity_of(address_space));
  if (found == kernel_->containers.end()) broken("unmap_all_in of a file that is no container");
  kernel_->calls.push_back("unmap_all_in " + found->second.initiator.to_string());
  if (const auto reason = kernel_->failure_of("unmap_all_in")) return tl::unexpected(*reason);
  found->second.mappings.clear();
  return {};
}

void FakeVfio::map_bars_as_dma_buf() {
  const std::lock_guard lock(kernel_->mutex);
  kernel_->exports_dma_bufs = true;
}

void FakeVfio::set_valid_iovas(std::vector<Range<Iova>> ranges) {
  const std::lock_guard lock(kernel_->mutex);
  kernel_->valid_iovas = std::move(ranges);
}

void FakeVfio::set_bar_size(const Address& address, unsigned bar, Bytes size) {
  const std::lock_guard lock(kernel_->mutex);
  kernel_->bar_sizes[{address, bar}] = size;
}

void FakeVfio::fail_next(const std::string& call, Reason reason) {
  const std::lock_guard lock(kernel_->mutex);
  kernel_->failures.insert_or_assign(call, std::move(reason));
}

bool FakeVfio::dma_write(const Address& initiator, Iova iova, std::span<const std::byte> bytes) {
  const std::lock_guard lock(kernel_->mutex);
  const auto* mapping = kernel_->find(initiator, iova, bytes.size(), Access::write);
  if (mapping == nullptr || mapping->memory == nullptr) return false;
  std::memcpy(mapping->memory + (iova.value - mapping->iova.begin.value), bytes.data(), bytes.size());
  return true;
}

std::optional<std::vector<std::byte>> FakeVfio::dma_read(const Address& initiator, Iova iova, Bytes length) {
  const std::lock_guard lock(kernel_->mutex);
  const auto* mapping = kernel_->find(initiator, iova, length.value, Access::read);
  if (mapping == nullptr || mapping->memory == nullptr) return std::nullopt;
  const auto* begin = mapping->memory + (iova.value - mapping->iova.begin.value);
  return std::vector<std::byte>(begin, begin + length.value);
}

std::vector<std::byte> FakeVfio::bar_bytes(const Address& address, unsigned bar, Bytes offset, Bytes length) {
  const std::lock_guard lock(kernel_->mutex);
  std::vector<std::byte> bytes(length.value);
  if (::pread(kernel_->bar(address, bar).memfd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset.value)) !=
      static_cast<ssize_t>(bytes.size()))
    broken("bar_bytes beyond the BAR");
  return bytes;
}

bool FakeVfio::want_back(const Address& address) {
  const std::lock_guard lock(kernel_->mutex);
  const auto wanted = kernel_->wanted.find(address);
  return wanted != kernel_->wanted.end() && ::eventfd_write(wanted->second.get(), 1) == 0;
}

std::vector<Range<Iova>> FakeVfio::mapped(const Address& initiator) {
  const std::lock_guard lock(kernel_->mutex);
  std::vector<Range<Iova>> result;
  if (const auto* mappings = kernel_->mappings_of(initiator))
    for (const auto& mapping : *mappings) result.push_back(mapping.iova);
  return result;
}

bool FakeVfio::is_open(const Address& address) {
  const std::lock_guard lock(kernel_->mutex);
  const auto group = kernel_->group_of.find(address);
  return group != kernel_->group_of.end() && kernel_->is_group_open(group->second);
}

std::vector<std::string> FakeVfio::calls() {
  const std::lock_guard lock(kernel_->mutex);
  return kernel_->calls;
}

void FakeVfio::forget_closed() {
  const std::lock_guard lock(kernel_->mutex);
  std::erase_if(kernel_->containers, [&](const auto& entry) { return !kernel_->is_live(entry.second); });
  std::erase_if(kernel_->groups, [&](const auto& entry) { return !kernel_->is_group_open(entry.first); });
}

UniqueFd FakeVfio::leave_behind(const Address& initiator, std::vector<Range<Iova>> ranges) {
  const std::lock_guard lock(kernel_->mutex);
  auto container = make_watched();
  Kernel::Container left{initiator, std::move(container.witness), {}};
  for (const auto& range : ranges) left.mappings.push_back({range, nullptr, Access::read_write});
  kernel_->containers.emplace(identity_of(container.file.get()), std::move(left));
  return std::move(container.file);
}

}  // namespace p2pd::fakes
