// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Scrubbing a pool that others have pieces of: all that is free, whatever pieces it is in.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "builders.h"
#include "fake_sysfs.h"
#include "mapping/peer_pool.h"

namespace p2pd::test {
namespace {

constexpr std::size_t page = 4096;

// A pool as the kernel's allocator has it, of pages that are free or not: each mmap takes the first run that is long enough.
// Nothing is given back: scrub() does that only when it has all.
struct FakePool {
  explicit FakePool(std::vector<bool> its_free) : is_free(std::move(its_free)) {
    memory = UniqueFd(::memfd_create("pool", MFD_CLOEXEC));
    const auto size = is_free.size() * page;
    if (::ftruncate(memory.get(), static_cast<off_t>(size)) < 0) throw std::runtime_error("ftruncate");
    bytes = static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0));
    std::memset(bytes, 'x', size);
  }
  ~FakePool() { ::munmap(bytes, is_free.size() * page); }
  FakePool(const FakePool&) = delete;
  FakePool& operator=(const FakePool&) = delete;

  void* take(std::size_t length) {
    const auto count = length / page;
    for (std::size_t first = 0; first + count <= is_free.size(); ++first) {
      const auto begin = is_free.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = begin + static_cast<std::ptrdiff_t>(count);
      if (!std::all_of(begin, end, [](bool free) { return free; })) continue;
      std::fill(begin, end, false);
      return ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), static_cast<off_t>(first * page));
    }
    errno = ENOMEM;
    return MAP_FAILED;
  }
  Outcome<void> scrub(std::uint64_t length, std::uint64_t available) {
    auto calls = real_kernel_calls();
    calls.mmap_shared = [this](std::size_t wanted, int, int, off_t) { return failure == 0 ? take(wanted) : fail(); };
    if (zeros_failure) calls.pread = [](int, void*, std::size_t, off_t) -> ssize_t { return errno = EFAULT, -1; };
    return p2pd::scrub(PeerPool{.allocate = {}, .available = Bytes{available}}, Bytes{length}, calls);
  }
  void* fail() const {
    errno = failure;
    return MAP_FAILED;
  }
  // 'x' or 0, page by page; '?' for a page that is neither.
  [[nodiscard]] std::string contents() const {
    std::string pages;
    for (std::size_t index = 0; index < is_free.size(); ++index) {
      const auto* begin = bytes + index * page;
      const auto is_all = [&](char what) { return std::all_of(begin, begin + page, [&](char byte) { return byte == what; }); };
      pages += is_all('x') ? 'x' : is_all(0) ? '0' : '?';
    }
    return pages;
  }

  std::vector<bool> is_free;
  UniqueFd memory;
  char* bytes;
  int failure = 0;
  bool zeros_failure = false;
};

TEST(PeerPool, IsScrubbedWhole) {
  FakePool pool(std::vector<bool>(8, true));
  ASSERT_EQ(pool.contents(), "xxxxxxxx");
  EXPECT_TRUE(pool.scrub(2 * page, 8 * page));
  EXPECT_EQ(pool.contents(), "00000000");
}

TEST(PeerPool, IsScrubbedInAllItsFreePieces) {
  FakePool pool({true, false, true, true, false, true, true, true, true, false});
  EXPECT_TRUE(pool.scrub(page, 7 * page));
  EXPECT_EQ(pool.contents(), "0x00x0000x") << "what others have is theirs";
}

TEST(PeerPool, IsBusyWhenThereIsNoPieceSoLong) {
  FakePool pool({true, true, false, true, true});
  EXPECT_EQ(pool.scrub(3 * page, 4 * page).error().code, ErrorCode::busy);
  EXPECT_EQ(pool.scrub(5 * page, 4 * page).error().code, ErrorCode::busy);
  EXPECT_TRUE(pool.scrub(2 * page, 4 * page));
}

TEST(PeerPool, IsNotLentUnscrubbed) {
  FakePool pool({true, true, false, false});
  EXPECT_EQ(pool.scrub(page, 4 * page).error().code, ErrorCode::busy) << "two pages went meanwhile";
  pool.failure = EPERM;
  EXPECT_EQ(pool.scrub(page, 2 * page).error().code, ErrorCode::failed);
}

TEST(PeerPool, WhoseDriverWentMeanwhileFails) {
  FakePool pool(std::vector<bool>(8, true));
  pool.zeros_failure = true;
  EXPECT_EQ(pool.scrub(page, 8 * page).error().code, ErrorCode::failed);
}

TEST(PeerPool, IsTheOneThatWasEnabled) {
  const auto device = at("0000:01:00.0");
  FakeSysfs tree;
  tree.add({.address = device, .driver = "nvme"});
  tree.register_peer_memory(device, 0x4000);
  struct stat status{};
  ASSERT_EQ(::stat((tree.device(device) / "p2pmem/allocate").c_str(), &status), 0);
  const auto opened = open_peer_pool(tree.sysfs(), device, status.st_ino);
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_EQ(opened->available, Bytes{0x4000});
  tree.register_peer_memory(device, 0x4000);
  EXPECT_EQ(open_peer_pool(tree.sysfs(), device, status.st_ino).error().code, ErrorCode::gone);
  tree.unregister_peer_memory(device);
  EXPECT_EQ(open_peer_pool(tree.sysfs(), device, status.st_ino).error().code, ErrorCode::gone);
}

}  // namespace
}  // namespace p2pd::test
