// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vfio-type1 with a kernel that answers from a script: every step, every errno.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "back_end_failures.h"
#include "mapping/type1.h"
#include "open_fds.h"
#include "scripted_kernel.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Type1 : public testing::Test {
 protected:
  Outcome<std::unique_ptr<OpenedFunction>> open() { return make_type1(kernel.options())->open(device, 12); }
  std::unique_ptr<OpenedFunction> opened() {
    auto function = open();
    if (!function) throw std::runtime_error(function.error().text);
    return std::move(*function);
  }

  ScriptedKernel kernel;
};

TEST_F(Type1, TellsTheValidIovasOfTheContainer) {
  EXPECT_THAT(opened()->valid_iovas(), ElementsAre(Range<Iova>{{0}, {0xfee00000}}, Range<Iova>{{0xfef00000}, {0x7f01100000}}));
}

TEST_F(Type1, KeepsContainerGroupAndDeviceForTheNextDaemon) {
  const auto function = opened();
  std::string suffixes;
  for (const auto& keep : function->fds_to_keep()) {
    suffixes += keep.suffix;
    EXPECT_EQ(::fcntl(keep.fd, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(suffixes, "cgd");
}

TEST_F(Type1, MapsForTheDirectionsThatWereGranted) {
  const auto function = opened();
  const auto page = one_page();
  for (const auto access : {Access::read, Access::write, Access::read_write})
    ASSERT_TRUE(function->map({Iova{0x1000}, Bytes{0x2000}}, page, access));
  EXPECT_EQ(kernel.maps[0].flags, VFIO_DMA_MAP_FLAG_READ);
  EXPECT_EQ(kernel.maps[1].flags, VFIO_DMA_MAP_FLAG_WRITE);
  EXPECT_EQ(kernel.maps[2].flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
  EXPECT_EQ(kernel.maps[0].iova, 0x1000);
  EXPECT_EQ(kernel.maps[0].size, 0x2000);
  EXPECT_EQ(kernel.maps[0].vaddr, reinterpret_cast<std::uintptr_t>(std::get<CpuMapping>(page).data()));
}

TEST_F(Type1, UnmapsExactlyTheRange) {
  ASSERT_TRUE(opened()->unmap({Iova{0x1000}, Bytes{0x2000}}));
  EXPECT_EQ(kernel.unmaps.at(0).iova, 0x1000);
  EXPECT_EQ(kernel.unmaps.at(0).size, 0x2000);
  EXPECT_EQ(kernel.unmaps.at(0).flags, 0);
}

TEST_F(Type1, FailsWhenLessWasMappedThanIsUnmapped) {
  kernel.bytes_unmapped_too_few = 0x1000;
  EXPECT_THAT(opened()->unmap({Iova{0x1000}, Bytes{0x2000}}).error().text, HasSubstr("only 0x1000 bytes"));
}

TEST_F(Type1, UnmapsAllByTheFlag) {
  ASSERT_TRUE(opened()->unmap_all());
  ASSERT_EQ(kernel.unmaps.size(), 1);
  EXPECT_EQ(kernel.unmaps[0].flags, VFIO_DMA_UNMAP_FLAG_ALL);
  EXPECT_EQ(kernel.unmaps[0].iova, 0);
  EXPECT_EQ(kernel.unmaps[0].size, 0);
}

TEST_F(Type1, UnmapsAllInTwoHalvesOnAKernelWithoutTheFlag) {
  kernel.has_unmap_all = false;
  ASSERT_TRUE(opened()->unmap_all());
  ASSERT_EQ(kernel.unmaps.size(), 2);
  EXPECT_EQ(kernel.unmaps[0].iova, 0);
  EXPECT_EQ(kernel.unmaps[0].size, std::uint64_t{1} << 63);
  EXPECT_EQ(kernel.unmaps[1].iova, std::uint64_t{1} << 63);
  EXPECT_EQ(kernel.unmaps[1].size, std::uint64_t{1} << 63);
}

TEST_F(Type1, UnmapsWhatTheLastDaemonLeftInAContainer) {
  const UniqueFd container(::memfd_create("container", MFD_CLOEXEC));
  ASSERT_TRUE(make_type1(kernel.options())->unmap_all_in(container.get()));
  EXPECT_EQ(kernel.unmaps.at(0).flags, VFIO_DMA_UNMAP_FLAG_ALL);
}

// ---- BARs

TEST_F(Type1, MapsAPartOfABarAtItsPlaceInTheDeviceFile) {
  const auto mapping = opened()->map_bar(2, Bytes{0x1000}, Bytes{0x2000});
  ASSERT_TRUE(mapping) << mapping.error().text;
  EXPECT_EQ(mapping->size(), 0x2000);
  EXPECT_THAT(kernel.mmap_offsets, ElementsAre((off_t{2} << 40) + 0x1000));
}

TEST_F(Type1, EnablesMemoryDecodeWhenItIsOff) {
  kernel.command = 0x0400;
  ASSERT_TRUE(opened()->map_bar(2, Bytes{0}, Bytes{0x1000}));
  EXPECT_EQ(kernel.command, 0x0400 | PCI_COMMAND_MEMORY);
}

TEST_F(Type1, DisablesMemoryDecodeAgainWhenTheMapFails) {
  kernel.command = 0x0400;
  kernel.mmap_errno = EINVAL;
  EXPECT_FALSE(opened()->map_bar(2, Bytes{0}, Bytes{0x1000}));
  EXPECT_EQ(kernel.command, 0x0400);
}

TEST_F(Type1, LeavesMemoryDecodeOnWhenItWasOnBefore) {
  kernel.mmap_errno = EINVAL;
  EXPECT_FALSE(opened()->map_bar(2, Bytes{0}, Bytes{0x1000}));
  EXPECT_EQ(kernel.command, PCI_COMMAND_MEMORY);
}

TEST_F(Type1, SaysThatADeviceIsGoneWhenItReadsAllOnes) {
  kernel.command = 0xffff;
  EXPECT_EQ(opened()->map_bar(2, Bytes{0}, Bytes{0x1000}).error().code, ErrorCode::gone);
}

TEST_F(Type1, RefusesABarThatVfioDoesNotLetBeMapped) {
  kernel.bar_flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
  EXPECT_EQ(opened()->map_bar(2, Bytes{0}, Bytes{0x1000}).error().code, ErrorCode::not_supported);
}

TEST_F(Type1, ResetsTheFunctionAlone) {
  const auto function = opened();
  EXPECT_TRUE(function->reset());
  kernel.errnos[VFIO_DEVICE_RESET] = EINVAL;
  EXPECT_THAT(function->reset().error().text, HasSubstr("[no-reset]"));
  EXPECT_EQ(function->reset().error().code, ErrorCode::not_supported);
}

struct BarPart {
  const char* name;
  std::uint64_t offset;
  std::uint64_t length;
};
class Type1BarParts : public Type1, public testing::WithParamInterface<BarPart> {};

TEST_P(Type1BarParts, AreRefusedWithoutACallOfMmap) {
  const auto mapping = opened()->map_bar(2, Bytes{GetParam().offset}, Bytes{GetParam().length});
  EXPECT_EQ(mapping.error().code, ErrorCode::not_supported);
  EXPECT_THAT(kernel.mmap_offsets, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Odd, Type1BarParts,
                         testing::Values(BarPart{"Beyond", 0xf000, 0x2000}, BarPart{"Empty", 0, 0},
                                         BarPart{"Outside", 0x20000, 0x1000}, BarPart{"Wrapping", 0x1000, ~0xfffULL},
                                         BarPart{"MisalignedOffset", 0x800, 0x1000}, BarPart{"MisalignedLength", 0, 0x800}),
                         [](const auto& part) { return part.param.name; });

TEST_F(Type1, MapsOnlyInsideOfTheSparseAreas) {
  kernel.sparse = {{0, 0x2000}, {0x4000, 0xc000}};
  const auto function = opened();
  EXPECT_TRUE(function->map_bar(2, Bytes{0}, Bytes{0x2000}));
  EXPECT_TRUE(function->map_bar(2, Bytes{0x8000}, Bytes{0x8000}));
  EXPECT_FALSE(function->map_bar(2, Bytes{0x1000}, Bytes{0x2000}));
  EXPECT_FALSE(function->map_bar(2, Bytes{0x2000}, Bytes{0x1000}));
}

TEST_F(Type1, UnmapsTheCpuMappingWithItsOwner) {
  const auto lines_with = [](const void* begin) {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    int count = 0;
    char address[32];
    std::snprintf(address, sizeof address, "%lx-", reinterpret_cast<std::uintptr_t>(begin));
    while (std::getline(maps, line)) count += line.starts_with(address) ? 1 : 0;
    return count;
  };
  auto mapping = opened()->map_bar(2, Bytes{0}, Bytes{0x3000}).value();
  const void* begin = mapping.data();
  CpuMapping moved(std::move(mapping));
  ASSERT_EQ(lines_with(begin), 1);
  moved = CpuMapping();
  EXPECT_EQ(lines_with(begin), 0);
}

// ---- when somebody wants it back

TEST_F(Type1, TellsWhenTheKernelWantsTheFunctionBack) {
  const auto wanted = opened()->tell_when_wanted();
  ASSERT_TRUE(wanted) << wanted.error().text;
  EXPECT_EQ(::fcntl(wanted->get(), F_GETFD), FD_CLOEXEC);
  eventfd_t count = 0;
  ASSERT_EQ(::eventfd_write(kernel.request_eventfd.get(), 1), 0);
  EXPECT_EQ(::eventfd_read(wanted->get(), &count), 0);
  EXPECT_EQ(::eventfd_read(wanted->get(), &count), -1) << "it does not block";
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(Type1, SaysThatAKernelCannotTellWhenItWantsTheFunctionBack) {
  const auto function = opened();
  ASSERT_TRUE(function->tell_when_wanted());
  kernel.request_count = 0;
  EXPECT_EQ(function->tell_when_wanted().error().code, ErrorCode::not_supported);
  kernel.request_count = 1;
  kernel.has_request_index = false;
  EXPECT_EQ(function->tell_when_wanted().error().code, ErrorCode::not_supported);
}

TEST_F(Type1, LeavesNoFdWhenItCannotBeTold) {
  const auto function = opened();
  const auto before = open_fds();
  for (const auto call : {VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_SET_IRQS}) {
    kernel.errnos = {{call, EIO}};
    const auto outcome = function->tell_when_wanted();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::failed);
    EXPECT_THAT(outcome.error().text, AllOf(HasSubstr("IRQ"), HasSubstr("EIO")));
    EXPECT_EQ(open_fds(), before);
  }
}

// ---- what is never opened

TEST_F(Type1, OpensNothingWhileUnsafeInterruptsAreAllowed) {
  ASSERT_TRUE(open());
  kernel.write(kernel.sysfs() / "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y");
  EXPECT_EQ(open().error().code, ErrorCode::blocked);
  EXPECT_THAT(open().error().text, HasSubstr("[unsafe-interrupts]"));
  EXPECT_EQ(make_type1(kernel.options())->probe().error().code, ErrorCode::blocked);
}

TEST_F(Type1, OpensNoGroupWithoutAnIommu) {
  kernel.write(kernel.sysfs() / "kernel/iommu_groups/12/name", "vfio-noiommu");
  EXPECT_THAT(open().error().text, HasSubstr("[no-iommu]"));
}

TEST_F(Type1, OpensNoGroupWhoseNodeSaysThatThereIsNoIommu) {
  kernel.write(kernel.dev() / "vfio/noiommu-12", "");
  EXPECT_THAT(open().error().text, HasSubstr("[no-iommu]"));
}

TEST_F(Type1, RefusesAGroupThatIsNotViable) {
  kernel.group_flags = 0;
  EXPECT_EQ(open().error().code, ErrorCode::blocked);
  EXPECT_THAT(open().error().text, HasSubstr("[group-not-viable]"));
}

TEST_F(Type1, RefusesAnotherVersionOfVfio) {
  kernel.api_version = 1;
  EXPECT_EQ(open().error().code, ErrorCode::not_supported);
}

TEST_F(Type1, RefusesAKernelWithoutType1) {
  kernel.has_type1 = false;
  EXPECT_THAT(open().error().text, HasSubstr("modprobe vfio_iommu_type1"));
}

TEST_F(Type1, RefusesAKernelThatDoesNotTellItsValidIovas) {
  kernel.has_iova_ranges = false;
  EXPECT_EQ(open().error().code, ErrorCode::not_supported);
}

TEST_F(Type1, ProbesWhetherItCanWorkAtAll) {
  EXPECT_TRUE(make_type1(kernel.options())->probe());
  kernel.open_errnos["vfio"] = ENOENT;
  EXPECT_THAT(make_type1(kernel.options())->probe().error().text, HasSubstr("modprobe vfio-pci"));
}

TEST_F(Type1, ProbesForAnIommu) {
  fs::remove_all(kernel.sysfs() / "kernel/iommu_groups/12");
  EXPECT_THAT(make_type1(kernel.options())->probe().error().text, HasSubstr("switch the IOMMU on"));
}

// ---- errnos

class Type1OpenFailures : public Type1, public testing::WithParamInterface<OpenFailure> {};

TEST_P(Type1OpenFailures, NameStepAndErrnoAndLeaveNoFd) {
  expect_open_fails(kernel, &make_type1, GetParam(), "open 0000:01:00.0 through VFIO");
}

INSTANTIATE_TEST_SUITE_P(
    Errnos, Type1OpenFailures,
    testing::Values(
        OpenFailure{"GroupIsHeld", 0, "12", EBUSY, ErrorCode::busy, "open group 12", "still open elsewhere"},
        OpenFailure{"GroupHasNoNode", 0, "12", ENOENT, ErrorCode::failed, "open group 12", "nothing in it is bound to vfio-pci"},
        OpenFailure{"GroupStatus", VFIO_GROUP_GET_STATUS, "", ENOTTY, ErrorCode::failed, "viable", "VFIO_GROUP_GET_STATUS"},
        OpenFailure{"NoVfio", 0, "vfio", ENOENT, ErrorCode::not_supported, "open container", "modprobe vfio-pci"},
        OpenFailure{"SetContainer", VFIO_GROUP_SET_CONTAINER, "", EBUSY, ErrorCode::busy, "into the container",
                    "another container"},
        OpenFailure{"InterruptsNotIsolated", VFIO_SET_IOMMU, "", EPERM, ErrorCode::blocked, "set IOMMU",
                    "[interrupts-not-isolated]"},
        OpenFailure{"NoSuchIommu", VFIO_SET_IOMMU, "", ENODEV, ErrorCode::not_supported, "set IOMMU",
                    "modprobe vfio_iommu_type1"},
        OpenFailure{"IommuInfo", VFIO_IOMMU_GET_INFO, "", ENOMEM, ErrorCode::failed, "read valid IOVAs", "VFIO_IOMMU_GET_INFO"},
        OpenFailure{"DeviceIsGone", VFIO_GROUP_GET_DEVICE_FD, "", ENODEV, ErrorCode::gone, "open device",
                    "not bound to vfio-pci"},
        OpenFailure{"DeviceWantsAToken", VFIO_GROUP_GET_DEVICE_FD, "", EPERM, ErrorCode::not_permitted, "open device",
                    "VF token"}),
    [](const auto& part) { return part.param.name; });

class Type1OpenSteps : public Type1, public testing::WithParamInterface<const char*> {};

TEST_P(Type1OpenSteps, LeaveNoFdWhenTheyFail) { expect_step_leaves_no_fd(kernel, &make_type1, GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, Type1OpenSteps,
                         testing::Values("check interrupts", "check group 12", "open group 12", "check that group 12 is viable",
                                         "open container", "check version", "put group 12 into the container", "set IOMMU",
                                         "read valid IOVAs", "open device"));

struct MapFailure {
  int error;
  ErrorCode code;
  const char* text;
};
class Type1MapFailures : public Type1, public testing::WithParamInterface<MapFailure> {};

TEST_P(Type1MapFailures, SayWhatTheErrnoMeans) {
  const auto function = opened();
  const auto page = one_page();
  ASSERT_TRUE(function->map({Iova{0x1000}, Bytes{0x1000}}, page, Access::read));
  kernel.errnos[VFIO_IOMMU_MAP_DMA] = GetParam().error;

  const auto outcome = function->map({Iova{0x1000}, Bytes{0x1000}}, page, Access::read);

  EXPECT_EQ(outcome.error().code, GetParam().code);
  EXPECT_THAT(outcome.error().text,
              AllOf(HasSubstr("IOVA 0x1000+0x1000"), HasSubstr(::strerrorname_np(GetParam().error)), HasSubstr(GetParam().text)));
}

INSTANTIATE_TEST_SUITE_P(Errnos, Type1MapFailures,
                         testing::Values(MapFailure{EINVAL, ErrorCode::failed, "outside of the ranges"},
                                         MapFailure{EEXIST, ErrorCode::failed, "overlaps"},
                                         MapFailure{ENOSPC, ErrorCode::quota_exceeded, "dma_entry_limit"},
                                         MapFailure{ENOMEM, ErrorCode::failed, "RLIMIT_MEMLOCK"},
                                         MapFailure{EFAULT, ErrorCode::failed, "memory decode"},
                                         MapFailure{EOVERFLOW, ErrorCode::failed, "wraps"},
                                         MapFailure{EIO, ErrorCode::failed, "IOVA"}),
                         [](const auto& part) { return ::strerrorname_np(part.param.error); });

TEST_F(Type1, SaysWhyAnUnmapFailed) {
  const auto function = opened();
  kernel.errnos[VFIO_IOMMU_UNMAP_DMA] = EINVAL;
  EXPECT_THAT(function->unmap({Iova{0x1000}, Bytes{0x1000}}).error().text, AllOf(HasSubstr("EINVAL"), HasSubstr("split")));
  EXPECT_FALSE(function->unmap_all());
}

}  // namespace
}  // namespace p2pd
