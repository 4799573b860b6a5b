// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/iommufd.h"

#include <fmt/format.h>
#include <linux/vfio.h>

#include <cerrno>
#include <fstream>

#include "mapping/iommufd_function.h"
#include "mapping/uapi/vfio_iommufd.h"
#include "mapping/vfio_failure.h"

namespace p2pd {

namespace {

class Iommufd final : public Vfio {
 public:
  explicit Iommufd(BackEndOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string name() const override { return "iommufd"; }

  [[nodiscard]] Outcome<void> probe() const override {
    if (const auto safe = refuse_unsafe_interrupts(options_); !safe) return safe;
    UniqueFd iommufd;
    if (auto done = open_iommufd(iommufd); !done) return done;
    if (auto done = check_map_file(iommufd.get()); !done) return done;
    if (!has_nodes_of_functions())
      return refuse(ErrorCode::not_supported, "VFIO has no character device for each function (CONFIG_VFIO_DEVICE_CDEV)");
    return refuse_no_iommu(options_);
  }

  Outcome<std::unique_ptr<OpenedFunction>> open(const Address& address, std::uint32_t iommu_group) override {
    const auto name = address.to_string();
    IommufdFiles files;
    std::string node;
    std::vector<Range<Iova>> valid_iovas;
    Transaction transaction(fmt::format("open {} through iommufd", name), options_.fail);

    const Step steps[] = {
        {"check interrupts", [&] { return refuse_unsafe_interrupts(options_); }, {}},
        {fmt::format("check group {}", iommu_group), [&] { return refuse_noiommu_group(options_, iommu_group); }, {}},
        {"open iommufd", [&] { return open_iommufd(files.iommufd); }, [&] { files.iommufd.reset(); }},
        {"find its node", [&] { return find_node(name, node); }, {}},
        {"open device", [&] { return open_device(node, files.device); }, [&] { files.device.reset(); }},
        {"make an address space", [&] { return allocate_ioas(files.iommufd.get()); }, {}},
        // Says whether somebody else has the function or its group.
        {"bind", [&] { return bind(files); }, {}},
        // While it is bound its name cannot go to another function; before, it could.
        {"check its node", [&] { return check_node(name, node); }, {}},
        {"check that BARs can be exported", [&] { return check_export(files.device.get()); }, {}},
        {"attach", [&] { return attach(files.device.get()); }, {}},
        {"read valid IOVAs", [&] { return read_ioas_iovas(options_.calls, files.iommufd.get(), valid_iovas); }, {}},
    };
    for (const auto& step : steps)
      if (auto done = transaction.run(step); !done) return error_of(done);
    transaction.keep();
    return make_iommufd_function(name, std::move(files), std::move(valid_iovas), options_.calls, options_.fail);
  }

  [[nodiscard]] char address_space_suffix() const override { return iommufd_suffix; }

  Outcome<void> unmap_all_in(int address_space) override { return unmap_whole_ioas(options_.calls, address_space); }

 private:
  [[nodiscard]] Outcome<void> open_iommufd(UniqueFd& result) const {
    const auto path = (options_.device_directory / "iommu").string();
    result.reset(options_.calls.open(path));
    if (!result) return refuse_vfio(VfioCall::open_iommufd, path, errno);
    return {};
  }

  // Linux 6.13. A kernel that knows it looks at the IOAS, which is not there; another one does not know the number.
  [[nodiscard]] Outcome<void> check_map_file(int iommufd) const {
    uapi::iommu_ioas_map_file question{};
    question.size = sizeof question;
    question.flags = uapi::map_fixed_iova | uapi::map_readable;
    question.fd = -1;
    if (options_.calls.ioctl(iommufd, uapi::ioas_map_file, &question) < 0 && errno == ENOTTY)
      return refuse(ErrorCode::not_supported, "iommufd maps no files here: Linux 6.19 or newer can map BARs through it");
    return {};
  }

  // device_cdev.c registers this name; class vfio-dev in sysfs is older than the nodes (Linux 6.1).
  [[nodiscard]] bool has_nodes_of_functions() const {
    std::ifstream file(options_.proc_root / "devices");
    for (std::string line; std::getline(file, line);)
      if (line.ends_with(" vfio-dev")) return true;
    return false;
  }

  // Documentation/ABI/testing/sysfs-class-vfio-dev: one directory, named like the node.
  [[nodiscard]] Outcome<void> find_node(const std::string& function, std::string& result) const {
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(options_.sysfs_root / "bus/pci/devices" / function / "vfio-dev", error))
      result = entry.path().filename().string();
    if (result.starts_with("noiommu-"))
      return refuse(ErrorCode::blocked, "no IOMMU stands between this function and memory: it is never lent [no-iommu]");
    if (result.empty())
      return refuse(ErrorCode::not_supported, "it has no VFIO node of its own (CONFIG_VFIO_DEVICE_CDEV), or no VFIO driver");
    return {};
  }

  [[nodiscard]] Outcome<void> check_node(const std::string& function, const std::string& node) const {
    std::string now;
    if (auto done = find_node(function, now); !done) return done;
    if (now != node) return refuse(ErrorCode::gone, "another function has come to its address");
    return {};
  }

  [[nodiscard]] Outcome<void> open_device(const std::string& node, UniqueFd& result) const {
    const auto path = (options_.device_directory / "vfio/devices" / node).string();
    result.reset(options_.calls.open(path));
    if (!result) return refuse_vfio(VfioCall::open_node, path, errno);
    return {};
  }

  [[nodiscard]] Outcome<void> allocate_ioas(int iommufd) const {
    uapi::iommu_ioas_alloc question{};
    question.size = sizeof question;
    if (options_.calls.ioctl(iommufd, uapi::ioas_alloc, &question) < 0)
      return refuse_vfio(VfioCall::other, "IOMMU_IOAS_ALLOC", errno);
    if (question.out_ioas_id != first_object)
      return refuse(ErrorCode::not_supported, fmt::format("the first object has the number {}", question.out_ioas_id));
    return {};
  }

  [[nodiscard]] Outcome<void> bind(const IommufdFiles& files) const {
    uapi::vfio_device_bind_iommufd question{};
    question.argsz = sizeof question;
    question.iommufd = files.iommufd.get();
    if (options_.calls.ioctl(files.device.get(), uapi::bind_iommufd, &question) < 0)
      return refuse_vfio(VfioCall::bind_iommufd, "VFIO_DEVICE_BIND_IOMMUFD", errno);
    return {};
  }

  // Linux 6.19. Without it nothing that this function has could be mapped by anybody.
  [[nodiscard]] Outcome<void> check_export(int device) const {
    vfio_device_feature question{};
    question.argsz = sizeof question;
    question.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | uapi::feature_dma_buf;
    if (options_.calls.ioctl(device, VFIO_DEVICE_FEATURE, &question) < 0)
      return refuse_vfio(VfioCall::export_bar, "VFIO_DEVICE_FEATURE_DMA_BUF", errno);
    return {};
  }

  [[nodiscard]] Outcome<void> attach(int device) const {
    uapi::vfio_device_attach_iommufd_pt question{};
    question.argsz = sizeof question;
    question.pt_id = first_object;
    if (options_.calls.ioctl(device, uapi::attach_iommufd_pt, &question) < 0)
      return refuse_vfio(VfioCall::attach, "VFIO_DEVICE_ATTACH_IOMMUFD_PT", errno);
    return {};
  }

  BackEndOptions options_;
};

}  // namespace

std::unique_ptr<Vfio> make_iommufd(BackEndOptions options) { return std::make_unique<Iommufd>(std::move(options)); }

}  // namespace p2pd
