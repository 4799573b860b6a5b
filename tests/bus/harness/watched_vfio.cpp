// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/watched_vfio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace p2pd::test {

namespace {

std::string text_of(const Range<Iova>& range) { return fmt::format("{:#x}+{:#x}", range.begin.value, range.length.value); }

class WatchedFunction : public OpenedFunction {
 public:
  WatchedFunction(std::unique_ptr<OpenedFunction> function, std::string name, StepLog log)
      : function_(std::move(function)), name_(std::move(name)), log_(std::move(log)) {}
  WatchedFunction(const WatchedFunction&) = delete;
  WatchedFunction& operator=(const WatchedFunction&) = delete;
  ~WatchedFunction() override { log_.note("close " + name_); }

  Outcome<void> map(Range<Iova> iova, const DmaMemory& memory, Access access) override {
    const auto line = fmt::format("map {} {} {}", name_, text_of(iova), to_string(access));
    return log_.enter("map", line).and_then([&] { return function_->map(iova, memory, access); });
  }
  Outcome<void> unmap(Range<Iova> iova) override {
    return log_.enter("unmap", "unmap " + name_ + " " + text_of(iova)).and_then([&] { return function_->unmap(iova); });
  }
  Outcome<void> unmap_all() override {
    return log_.enter("unmap-all", "unmap-all " + name_).and_then([&] { return function_->unmap_all(); });
  }
  Outcome<CpuMapping> map_bar(unsigned bar, Bytes offset, Bytes length) override {
    const auto line = fmt::format("map-bar {}:{} {:#x}+{:#x}", name_, bar, offset.value, length.value);
    if (const auto entered = log_.enter("map-bar", line); !entered) return tl::unexpected(entered.error());
    return function_->map_bar(bar, offset, length);
  }
  Outcome<UniqueFd> export_bar(unsigned bar, Bytes offset, Bytes length) override {
    const auto line = fmt::format("export-bar {}:{} {:#x}+{:#x}", name_, bar, offset.value, length.value);
    if (const auto entered = log_.enter("export-bar", line); !entered) return error_of(entered);
    return function_->export_bar(bar, offset, length);
  }
  [[nodiscard]] bool maps_bars_as_dma_buf() const override { return function_->maps_bars_as_dma_buf(); }
  Outcome<void> suspend_exports() override {
    return log_.enter("suspend-exports", "suspend-exports " + name_).and_then([&] { return function_->suspend_exports(); });
  }
  Outcome<void> reset() override {
    return log_.enter("reset", "reset " + name_).and_then([&] { return function_->reset(); });
  }
  Outcome<UniqueFd> tell_when_wanted() override { return function_->tell_when_wanted(); }
  [[nodiscard]] std::vector<Range<Iova>> valid_iovas() const override { return function_->valid_iovas(); }
  [[nodiscard]] int device_fd() const override { return function_->device_fd(); }
  [[nodiscard]] std::vector<Keep> fds_to_keep() const override { return function_->fds_to_keep(); }

 private:
  std::unique_ptr<OpenedFunction> function_;
  std::string name_;
  StepLog log_;
};

}  // namespace

Outcome<void> StepLog::enter(const std::string& step, const std::string& line) const {
  const auto name = "gate-" + step;
  if (const UniqueFd gate(::open((directory_ / name).c_str(), O_RDONLY | O_CLOEXEC)); gate) {
    note("at " + name);
    std::array<char, 1> nothing{};
    while (::read(gate.get(), nothing.data(), nothing.size()) > 0) continue;
  }
  if (std::filesystem::exists(directory_ / ("refuse-" + step))) return refuse_errno(line, EIO);
  note(line);
  return {};
}

void StepLog::note(const std::string& line) const {
  // One write of one line, so that the test never reads half of it.
  const UniqueFd file(::open((directory_ / "trace").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  const auto text = line + "\n";
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::system_error(errno, std::generic_category(), "write down " + line);
}

Outcome<std::unique_ptr<OpenedFunction>> WatchedVfio::open(const Address& address, std::uint32_t iommu_group) {
  const auto name = address.to_string();
  if (const auto entered = log_.enter("open", "open " + name); !entered) return tl::unexpected(entered.error());
  auto opened = vfio_.open(address, iommu_group);
  if (!opened) return opened;
  return std::make_unique<WatchedFunction>(std::move(*opened), name, log_);
}

}  // namespace p2pd::test
