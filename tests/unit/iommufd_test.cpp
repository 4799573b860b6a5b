// SPDX-License-Identifier: LGPL-2.1-or-later
//
// iommufd with a kernel that answers from a script: every step, every errno.
#include "mapping/iommufd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "back_end_failures.h"
#include "open_fds.h"
#include "scripted_kernel.h"

namespace p2pd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t everything = std::numeric_limits<std::uint64_t>::max();

class Iommufd : public testing::Test {
 protected:
  Outcome<std::unique_ptr<OpenedFunction>> open() { return make_iommufd(kernel.options())->open(device, 12); }
  std::unique_ptr<OpenedFunction> opened() {
    auto function = open();
    if (!function) throw std::runtime_error(function.error().text);
    return std::move(*function);
  }

  ScriptedKernel kernel;
};

TEST_F(Iommufd, TellsTheValidIovasOfTheAddressSpace) {
  EXPECT_THAT(opened()->valid_iovas(), ElementsAre(Range<Iova>{{0}, {0xfee00000}}, Range<Iova>{{0xfef00000}, {0x7f01100000}}));
}

TEST_F(Iommufd, KeepsIommufdAndDeviceForTheNextDaemon) {
  const auto function = opened();
  std::string suffixes;
  for (const auto& keep : function->fds_to_keep()) {
    suffixes += keep.suffix;
    EXPECT_EQ(::fcntl(keep.fd, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(suffixes, "id");
  EXPECT_EQ(make_iommufd(kernel.options())->address_space_suffix(), 'i');
}

TEST_F(Iommufd, AttachesTheFunctionToItsOwnAddressSpace) {
  const auto function = opened();
  ASSERT_EQ(kernel.binds.size(), 1);
  EXPECT_EQ(kernel.binds[0].iommufd, function->fds_to_keep().front().fd);
  ASSERT_EQ(kernel.attaches.size(), 1);
  EXPECT_EQ(kernel.attaches[0].pt_id, 1);
}

// The next daemon finds the file descriptor only, not the number.
TEST_F(Iommufd, RefusesAnAddressSpaceWithAnotherNumber) {
  kernel.next_object = 2;
  EXPECT_EQ(open().error().code, ErrorCode::not_supported);
}

TEST_F(Iommufd, MapsMemoryForTheDirectionsThatWereGranted) {
  const auto function = opened();
  const auto page = one_page();
  for (const auto access : {Access::read, Access::write, Access::read_write})
    ASSERT_TRUE(function->map({Iova{0x1000}, Bytes{0x2000}}, page, access));
  ASSERT_EQ(kernel.ioas_maps.size(), 3);
  EXPECT_EQ(kernel.ioas_maps[0].flags, uapi::map_fixed_iova | uapi::map_readable);
  EXPECT_EQ(kernel.ioas_maps[1].flags, uapi::map_fixed_iova | uapi::map_writeable);
  EXPECT_EQ(kernel.ioas_maps[2].flags, uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable);
  EXPECT_EQ(kernel.ioas_maps[0].ioas_id, 1);
  EXPECT_EQ(kernel.ioas_maps[0].iova, 0x1000);
  EXPECT_EQ(kernel.ioas_maps[0].length, 0x2000);
  EXPECT_EQ(kernel.ioas_maps[0].user_va, reinterpret_cast<std::uintptr_t>(std::get<CpuMapping>(page).data()));
}

TEST_F(Iommufd, MapsABarAsADmaBufOfOneRange) {
  const auto function = opened();
  EXPECT_TRUE(function->maps_bars_as_dma_buf());
  auto dma_buf = function->export_bar(2, Bytes{0x1000}, Bytes{0x2000});
  ASSERT_TRUE(dma_buf) << dma_buf.error().text;
  ASSERT_EQ(kernel.exports.size(), 1);
  EXPECT_EQ(kernel.exports[0].dma_buf.region_index, 2);
  EXPECT_EQ(kernel.exports[0].dma_buf.nr_ranges, 1);
  EXPECT_EQ(kernel.exports[0].range.offset, 0x1000);
  EXPECT_EQ(kernel.exports[0].range.length, 0x2000);

  const int fd = dma_buf->get();
  ASSERT_TRUE(function->map({Iova{0x4000}, Bytes{0x2000}}, DmaMemory{std::move(*dma_buf)}, Access::write));
  ASSERT_EQ(kernel.file_maps.size(), 1);
  EXPECT_EQ(kernel.file_maps[0].fd, fd);
  EXPECT_EQ(kernel.file_maps[0].start, 0);
  EXPECT_EQ(kernel.file_maps[0].length, 0x2000);
  EXPECT_EQ(kernel.file_maps[0].iova, 0x4000);
  EXPECT_EQ(kernel.file_maps[0].flags, uapi::map_fixed_iova | uapi::map_writeable);
}

// A dma-buf of a BAR that does not decode is born without memory.
TEST_F(Iommufd, EnablesMemoryDecodeBeforeItExports) {
  kernel.command = 0x0400;
  ASSERT_TRUE(opened()->export_bar(2, Bytes{0}, Bytes{0x1000}));
  EXPECT_EQ(kernel.command, 0x0400 | PCI_COMMAND_MEMORY);
}

TEST_F(Iommufd, DisablesMemoryDecodeAgainWhenTheExportFails) {
  const auto function = opened();
  kernel.command = 0x0400;
  kernel.exports_dma_bufs = false;
  EXPECT_EQ(function->export_bar(2, Bytes{0}, Bytes{0x1000}).error().code, ErrorCode::not_supported);
  EXPECT_EQ(kernel.command, 0x0400);
}

TEST_F(Iommufd, SuspendsExportsByMemoryDecode) {
  kernel.command = 0x0406;
  ASSERT_TRUE(opened()->suspend_exports());
  EXPECT_EQ(kernel.command, 0x0404);
}

TEST_F(Iommufd, ExportsNothingOfTheMsixPage) {
  kernel.sparse = {{0x1000, 0xf000}};
  const auto function = opened();
  EXPECT_TRUE(function->export_bar(2, Bytes{0x1000}, Bytes{0x1000}));
  EXPECT_EQ(function->export_bar(2, Bytes{0}, Bytes{0x2000}).error().code, ErrorCode::not_supported);
}

TEST_F(Iommufd, UnmapsExactlyTheRange) {
  ASSERT_TRUE(opened()->unmap({Iova{0x1000}, Bytes{0x2000}}));
  ASSERT_EQ(kernel.ioas_unmaps.size(), 1);
  EXPECT_EQ(kernel.ioas_unmaps[0].ioas_id, 1);
  EXPECT_EQ(kernel.ioas_unmaps[0].iova, 0x1000);
  EXPECT_EQ(kernel.ioas_unmaps[0].length, 0x2000);
}

TEST_F(Iommufd, FailsWhenLessWasMappedThanIsUnmapped) {
  kernel.bytes_unmapped_too_few = 0x1000;
  EXPECT_THAT(opened()->unmap({Iova{0x1000}, Bytes{0x2000}}).error().text, HasSubstr("0x1000 bytes were unmapped"));
}

TEST_F(Iommufd, UnmapsAll) {
  ASSERT_TRUE(opened()->unmap_all());
  ASSERT_EQ(kernel.ioas_unmaps.size(), 1);
  EXPECT_EQ(kernel.ioas_unmaps[0].iova, 0);
  EXPECT_EQ(kernel.ioas_unmaps[0].length, everything);
}

TEST_F(Iommufd, UnmapsWhatTheLastDaemonLeft) {
  const UniqueFd iommufd(::memfd_create("iommufd", MFD_CLOEXEC));
  ASSERT_TRUE(make_iommufd(kernel.options())->unmap_all_in(iommufd.get()));
  ASSERT_EQ(kernel.ioas_unmaps.size(), 1);
  EXPECT_EQ(kernel.ioas_unmaps[0].ioas_id, 1);
  EXPECT_EQ(kernel.ioas_unmaps[0].length, everything);
}

// ---- what it refuses

TEST_F(Iommufd, ProbesWhetherItCanWorkAtAll) {
  EXPECT_TRUE(make_iommufd(kernel.options())->probe());
  kernel.open_errnos["iommu"] = ENOENT;
  EXPECT_THAT(make_iommufd(kernel.options())->probe().error().text, HasSubstr("CONFIG_IOMMUFD"));
}

TEST_F(Iommufd, ProbesForMappingOfFiles) {
  kernel.knows_map_file = false;
  EXPECT_THAT(make_iommufd(kernel.options())->probe().error().text, HasSubstr("Linux 6.19"));
  EXPECT_THAT(kernel.file_maps, IsEmpty());
}

TEST_F(Iommufd, ProbesForNodesOfFunctions) {
  kernel.write(kernel.proc() / "devices", "Character devices:\n 10 misc\n511 vfio\n");
  EXPECT_THAT(make_iommufd(kernel.options())->probe().error().text, HasSubstr("CONFIG_VFIO_DEVICE_CDEV"));
}

TEST_F(Iommufd, LendsNothingWithUnsafeInterrupts) {
  ASSERT_TRUE(open());
  kernel.write(kernel.sysfs() / "module/iommufd/parameters/allow_unsafe_interrupts", "Y");
  EXPECT_THAT(open().error().text, HasSubstr("[unsafe-interrupts]"));
  EXPECT_EQ(make_iommufd(kernel.options())->probe().error().code, ErrorCode::blocked);
}

// Linux 7.3 gives functions without an IOMMU such a node.
TEST_F(Iommufd, LendsNothingWithoutAnIommu) {
  const auto nodes = kernel.sysfs() / "bus/pci/devices/0000:01:00.0/vfio-dev";
  std::filesystem::rename(nodes / "vfio3", nodes / "noiommu-vfio3");
  EXPECT_THAT(open().error().text, HasSubstr("[no-iommu]"));
}

// type1 may do it then.
TEST_F(Iommufd, IsNotSupportedWithoutANode) {
  std::filesystem::remove_all(kernel.sysfs() / "bus/pci/devices/0000:01:00.0/vfio-dev");
  EXPECT_EQ(open().error().code, ErrorCode::not_supported);
}

TEST_F(Iommufd, OpensNothingThatCameToTheAddressMeanwhile) {
  const auto nodes = kernel.sysfs() / "bus/pci/devices/0000:01:00.0/vfio-dev";
  kernel.on_bind = [nodes] { std::filesystem::rename(nodes / "vfio3", nodes / "vfio4"); };
  EXPECT_EQ(open().error().code, ErrorCode::gone);
}

TEST_F(Iommufd, IsNotSupportedWhereNoBarCanBeExported) {
  const auto before = open_fds();
  kernel.exports_dma_bufs = false;
  EXPECT_EQ(open().error().code, ErrorCode::not_supported);
  EXPECT_EQ(open_fds(), before);
}

// ---- errnos

class IommufdOpenFailures : public Iommufd, public testing::WithParamInterface<OpenFailure> {};

TEST_P(IommufdOpenFailures, NameStepAndErrnoAndLeaveNoFd) {
  expect_open_fails(kernel, &make_iommufd, GetParam(), "open 0000:01:00.0 through iommufd");
}

INSTANTIATE_TEST_SUITE_P(
    Errnos, IommufdOpenFailures,
    testing::Values(OpenFailure{"NoIommufd", 0, "iommu", ENOENT, ErrorCode::not_supported, "open iommufd", "no iommufd"},
                    OpenFailure{"IommufdCameLater", 0, "iommu", EPERM, ErrorCode::not_supported, "open iommufd", "restart p2pd"},
                    OpenFailure{"NodesCameLater", 0, "vfio3", EPERM, ErrorCode::not_supported, "open device", "restart p2pd"},
                    // Linux 6.1 has the directory in sysfs, but no node.
                    OpenFailure{"NoNode", 0, "vfio3", ENOENT, ErrorCode::not_supported, "open device", "CONFIG_VFIO_DEVICE_CDEV"},
                    OpenFailure{"NodeIsGone", 0, "vfio3", ENODEV, ErrorCode::gone, "open device", "being unbound"},
                    OpenFailure{"NoAddressSpace", uapi::ioas_alloc, "", ENOMEM, ErrorCode::failed, "make an address space",
                                "IOMMU_IOAS_ALLOC"},
                    OpenFailure{"ACopyIsOpen", uapi::bind_iommufd, "", EINVAL, ErrorCode::busy, "bind", "still open elsewhere"},
                    OpenFailure{"TheGroupIsOpen", uapi::bind_iommufd, "", EBUSY, ErrorCode::busy, "bind", "container"},
                    OpenFailure{"NotViable", uapi::bind_iommufd, "", EPERM, ErrorCode::blocked, "bind", "[group-not-viable]"},
                    OpenFailure{"Rmrr", uapi::attach_iommufd_pt, "", EINVAL, ErrorCode::blocked, "attach", "[reserved-region]"},
                    OpenFailure{"NoRanges", uapi::ioas_iova_ranges, "", EMSGSIZE, ErrorCode::failed, "read valid IOVAs",
                                "IOVA_RANGES"}),
    [](const auto& part) { return part.param.name; });

class IommufdOpenSteps : public Iommufd, public testing::WithParamInterface<const char*> {};

TEST_P(IommufdOpenSteps, LeaveNoFdWhenTheyFail) { expect_step_leaves_no_fd(kernel, &make_iommufd, GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, IommufdOpenSteps,
                         testing::Values("check interrupts", "check group 12", "find its node", "open device", "open iommufd",
                                         "make an address space", "bind", "check its node", "check that BARs can be exported",
                                         "attach", "read valid IOVAs"));

TEST_F(Iommufd, SaysWhyABarIsNotMapped) {
  const auto function = opened();
  const DmaMemory dma_buf{UniqueFd(::memfd_create("dma-buf", MFD_CLOEXEC))};
  ASSERT_TRUE(function->map({Iova{0x1000}, Bytes{0x1000}}, dma_buf, Access::read));
  kernel.errnos[uapi::ioas_map_file] = ENODEV;
  EXPECT_THAT(function->map({Iova{0x1000}, Bytes{0x1000}}, dma_buf, Access::read).error().text, HasSubstr("was reset"));
  kernel.errnos[uapi::ioas_map_file] = EOPNOTSUPP;
  EXPECT_EQ(function->map({Iova{0x1000}, Bytes{0x1000}}, dma_buf, Access::read).error().code, ErrorCode::not_supported);
}

}  // namespace
}  // namespace p2pd
