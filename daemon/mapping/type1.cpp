// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/type1.h"

#include <fmt/format.h>
#include <linux/vfio.h>

#include <cerrno>

#include "mapping/type1_function.h"
#include "mapping/type1_info.h"
#include "mapping/vfio_failure.h"

namespace p2pd {

namespace {

class Type1 final : public Vfio {
 public:
  explicit Type1(BackEndOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string name() const override { return "vfio-type1"; }

  [[nodiscard]] Outcome<void> probe() const override {
    if (const auto safe = refuse_unsafe_interrupts(options_); !safe) return safe;
    UniqueFd container;
    if (auto done = open_container(container); !done) return done;
    if (auto done = check_version(container.get()); !done) return done;
    return refuse_no_iommu(options_);
  }

  Outcome<std::unique_ptr<OpenedFunction>> open(const Address& address, std::uint32_t iommu_group) override {
    const auto name = address.to_string();
    Type1Files files;
    std::vector<Range<Iova>> valid_iovas;
    Transaction transaction(fmt::format("open {} through VFIO", name), options_.fail);

    // The group first: it opens once only, so it says at once whether somebody else has it.
    const auto group = std::to_string(iommu_group);
    const Step steps[] = {
        {"check interrupts", [&] { return refuse_unsafe_interrupts(options_); }, {}},
        {"check group " + group, [&] { return refuse_noiommu_group(options_, iommu_group); }, {}},
        {"open group " + group, [&] { return open_group(group, files.group); }, [&] { files.group.reset(); }},
        {"check that group " + group + " is viable", [&] { return check_viable(files.group.get()); }, {}},
        {"open container", [&] { return open_container(files.container); }, [&] { files.container.reset(); }},
        {"check version", [&] { return check_version(files.container.get()); }, {}},
        {"put group " + group + " into the container", [&] { return set_container(files); }, {}},
        {"set IOMMU", [&] { return set_iommu(files.container.get()); }, {}},
        {"read valid IOVAs", [&] { return read_iovas(files.container.get(), valid_iovas); }, {}},
        {"open device", [&] { return open_device(files.group.get(), name, files.device); }, [&] { files.device.reset(); }},
    };
    for (const auto& step : steps)
      if (auto done = transaction.run(step); !done) return tl::unexpected(done.error());
    transaction.keep();
    return make_type1_function(name, std::move(files), std::move(valid_iovas), options_.calls, options_.fail);
  }

  [[nodiscard]] char address_space_suffix() const override { return type1_suffix; }

  Outcome<void> unmap_all_in(int address_space) override {
    if (auto done = check_version(address_space); !done) return done;
    return unmap_whole_container(options_.calls, address_space);
  }

 private:
  [[nodiscard]] Outcome<void> open_group(const std::string& group, UniqueFd& result) const {
    const auto path = (options_.device_directory / "vfio" / group).string();
    result.reset(options_.calls.open(path));
    if (!result) return refuse_vfio(VfioCall::open_group, path, errno);
    return {};
  }

  [[nodiscard]] Outcome<void> check_viable(int group) const {
    vfio_group_status status{};
    status.argsz = sizeof status;
    if (options_.calls.ioctl(group, VFIO_GROUP_GET_STATUS, &status) < 0)
      return refuse_vfio(VfioCall::other, "VFIO_GROUP_GET_STATUS", errno);
    if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0)
      return refuse(ErrorCode::blocked,
                    "another function of the group has a driver that is not vfio-pci: bind all of them [group-not-viable]");
    return {};
  }

  [[nodiscard]] Outcome<void> open_container(UniqueFd& result) const {
    const auto path = (options_.device_directory / "vfio/vfio").string();
    result.reset(options_.calls.open(path));
    if (!result) return refuse_vfio(VfioCall::open_container, path, errno);
    return {};
  }

  [[nodiscard]] Outcome<void> check_version(int container) const {
    const int version = options_.calls.ioctl(container, VFIO_GET_API_VERSION, nullptr);
    if (version < 0) return refuse_vfio(VfioCall::other, "VFIO_GET_API_VERSION", errno);
    if (version != VFIO_API_VERSION)
      return refuse(ErrorCode::not_supported, fmt::format("VFIO has version {}, we speak {}", version, VFIO_API_VERSION));
    if (options_.calls.ioctl(container, VFIO_CHECK_EXTENSION, as_argument(VFIO_TYPE1v2_IOMMU)) <= 0)
      return refuse(ErrorCode::not_supported, "VFIO has no type1 (v2) here: modprobe vfio_iommu_type1");
    return {};
  }

  [[nodiscard]] Outcome<void> set_container(const Type1Files& files) const {
    int container = files.container.get();
    if (options_.calls.ioctl(files.group.get(), VFIO_GROUP_SET_CONTAINER, &container) < 0)
      return refuse_vfio(VfioCall::set_container, "VFIO_GROUP_SET_CONTAINER", errno);
    return {};
  }

  [[nodiscard]] Outcome<void> set_iommu(int container) const {
    if (options_.calls.ioctl(container, VFIO_SET_IOMMU, as_argument(VFIO_TYPE1v2_IOMMU)) < 0)
      return refuse_vfio(VfioCall::set_iommu, "VFIO_SET_IOMMU", errno);
    return {};
  }

  [[nodiscard]] Outcome<void> read_iovas(int container, std::vector<Range<Iova>>& result) const {
    auto ranges = read_valid_iovas(options_.calls, container);
    if (!ranges) return tl::unexpected(ranges.error());
    result = std::move(*ranges);
    return {};
  }

  // The kernel opens it with CLOEXEC: group.c vfio_device_open_file().
  [[nodiscard]] Outcome<void> open_device(int group, std::string name, UniqueFd& result) const {
    result.reset(options_.calls.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name.data()));
    if (!result) return refuse_vfio(VfioCall::get_device, "VFIO_GROUP_GET_DEVICE_FD", errno);
    return {};
  }

  BackEndOptions options_;
};

}  // namespace

std::unique_ptr<Vfio> make_type1(BackEndOptions options) { return std::make_unique<Type1>(std::move(options)); }

}  // namespace p2pd
