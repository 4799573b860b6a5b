// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which memory of a client may be mapped for DMA.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "effects/memfd.h"
#include "model/unique_fd.h"

namespace p2pd {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t size = 0x4000;

UniqueFd memory(int seals = F_SEAL_SHRINK) {
  UniqueFd fd(::memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(fd.get(), size), 0);
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

UniqueFd reopened(int fd, int flags) {
  return UniqueFd(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), flags | O_CLOEXEC));
}

std::string refusal_of(int fd, std::uint64_t offset = 0, std::uint64_t length = size, Access access = Access::read_write) {
  const auto checked = check_memfd(fd, Bytes{offset}, Bytes{length}, access);
  if (checked) return "";
  EXPECT_EQ(checked.error().code, ErrorCode::invalid_argument);
  return checked.error().text;
}

TEST(Memfd, IsTakenWhenItCannotShrink) { EXPECT_EQ(refusal_of(memory().get()), ""); }

TEST(Memfd, IsTakenInPart) {
  const auto fd = memory();
  EXPECT_EQ(refusal_of(fd.get(), 0x1000, 0x3000), "");
  EXPECT_EQ(refusal_of(fd.get(), 0x3000, 0x1000), "");
}

TEST(Memfd, IsRefusedWhenItCanShrink) { EXPECT_THAT(refusal_of(memory(F_SEAL_GROW).get()), HasSubstr("F_SEAL_SHRINK")); }

TEST(Memfd, IsNotAFileOfADisk) {
  std::string name = "/var/tmp/memfd-XXXXXX";
  const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
  ::unlink(name.c_str());
  ASSERT_EQ(::ftruncate(fd.get(), size), 0);
  EXPECT_THAT(refusal_of(fd.get()), HasSubstr("not a memfd"));
}

TEST(Memfd, IsNotADevice) {
  EXPECT_THAT(refusal_of(UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC)).get()), HasSubstr("not a memfd"));
}

TEST(Memfd, IsNotAClosedFd) { EXPECT_THAT(refusal_of(-1), HasSubstr("not a memfd")); }

TEST(Memfd, IsWritableWhenTheInitiatorMayWrite) {
  const auto fd = memory();
  const auto read_only = reopened(fd.get(), O_RDONLY);
  EXPECT_EQ(refusal_of(read_only.get(), 0, size, Access::read), "");
  EXPECT_THAT(refusal_of(read_only.get(), 0, size, Access::write), HasSubstr("reading only"));
  EXPECT_THAT(refusal_of(read_only.get(), 0, size, Access::read_write), HasSubstr("reading only"));
}

TEST(Memfd, IsReadableAlways) {
  const auto fd = memory();
  EXPECT_THAT(refusal_of(reopened(fd.get(), O_WRONLY).get(), 0, size, Access::write), HasSubstr("not open for reading"));
}

TEST(Memfd, IsNotWrittenAgainstItsSeals) {
  for (const int seal : {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
    const auto fd = memory(F_SEAL_SHRINK | seal);
    EXPECT_EQ(refusal_of(fd.get(), 0, size, Access::read), "");
    EXPECT_THAT(refusal_of(fd.get(), 0, size, Access::write), HasSubstr("sealed against writing"));
  }
}

TEST(Memfd, IsMappedInWholePagesInsideOfIt) {
  const auto fd = memory();
  EXPECT_THAT(refusal_of(fd.get(), 0, 0), HasSubstr("zero"));
  EXPECT_THAT(refusal_of(fd.get(), 0x800, 0x1000), HasSubstr("multiples of 4096"));
  EXPECT_THAT(refusal_of(fd.get(), 0, 0x1800), HasSubstr("multiples of 4096"));
  EXPECT_THAT(refusal_of(fd.get(), 0, size + 0x1000), HasSubstr("beyond"));
  EXPECT_THAT(refusal_of(fd.get(), size, 0x1000), HasSubstr("beyond"));
  EXPECT_THAT(refusal_of(fd.get(), ~0xfffULL, 0x2000), HasSubstr("64 bits"));
  EXPECT_THAT(refusal_of(fd.get(), 0x1000, ~0xfffULL), HasSubstr("beyond"));
  EXPECT_THAT(refusal_of(fd.get(), 1ULL << 63, 0x1000), HasSubstr("beyond"));
}

}  // namespace
}  // namespace p2pd
