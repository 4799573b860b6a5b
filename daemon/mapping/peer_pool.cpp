// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/peer_pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

#include "mapping/vfio.h"

namespace p2pd {

namespace {

// By the kernel: where the driver is unbound meanwhile, and the memory goes, it gives an error instead of a SIGBUS.
Outcome<void> write_zeros(const CpuMapping& piece, int zeros, const KernelCalls& calls) {
  for (std::size_t done = 0; done < piece.size();) {
    const auto count = calls.pread(zeros, piece.data() + done, piece.size() - done, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return refuse_errno("write zeros into peer memory", count < 0 ? errno : EIO);
    done += static_cast<std::size_t>(count);
  }
  return {};
}

// Nothing: no piece of this length is free.
Outcome<CpuMapping> take(const PeerPool& pool, Bytes length, const KernelCalls& calls) {
  void* const begin = calls.mmap_shared(length.value, PROT_READ | PROT_WRITE, pool.allocate.get(), 0);
  if (begin != MAP_FAILED) return CpuMapping(begin, length.value);
  if (errno == ENOMEM) return CpuMapping();
  return refuse_errno("mmap of peer memory", errno);
}

Bytes whole_pages(Bytes length) { return Bytes{length.value / page_size.value * page_size.value}; }

}  // namespace

Outcome<PeerPool> open_peer_pool(const std::filesystem::path& sysfs_root, const Address& device, std::uint64_t pool) {
  const auto directory = sysfs_root / "bus/pci/devices" / device.to_string() / "p2pmem";
  const auto path = directory / "allocate";
  PeerPool opened{.allocate = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC)), .available = {}};
  const auto gone = [&] {
    return refuse(ErrorCode::gone, fmt::format("what the driver of {} had registered is gone", device.to_string()));
  };
  if (!opened.allocate && errno != ENOENT) return refuse_errno("open " + path.string(), errno);
  struct stat status{};
  if (!opened.allocate || ::fstat(opened.allocate.get(), &status) < 0 || status.st_ino != pool) return gone();
  std::uint64_t available = 0;
  if (std::ifstream stream(directory / "available"); !(stream >> available)) return gone();
  opened.available = Bytes{available};
  return opened;
}

Outcome<void> scrub(const PeerPool& pool, Bytes length, const KernelCalls& calls) {
  const UniqueFd zeros(calls.open("/dev/zero"));
  if (!zeros) return refuse_errno("open /dev/zero", errno);
  // All pieces are held until the last was taken, so that none is taken twice.
  std::vector<CpuMapping> pieces;
  auto left = whole_pages(pool.available);
  const auto not_in_one_piece = [&] {
    return refuse(ErrorCode::busy, fmt::format("{} bytes are not free in one piece: of {} that are free at all", length.value,
                                               pool.available.value));
  };
  if (length > left) return not_in_one_piece();
  for (auto next = length; left >= page_size && next >= page_size;) {
    auto piece = take(pool, next, calls);
    if (!piece) return error_of(piece);
    if (piece->size() == 0 && pieces.empty()) return not_in_one_piece();
    if (piece->size() == 0) {
      next = whole_pages(Bytes{next.value / 2});
      continue;
    }
    if (const auto done = write_zeros(*piece, zeros.get(), calls); !done) return done;
    left = Bytes{left.value - next.value};
    // What is left may be in one piece.
    next = pieces.empty() ? left : std::min(next, left);
    pieces.push_back(std::move(*piece));
  }
  if (left < page_size) return {};
  return refuse(ErrorCode::busy,
                fmt::format("{} bytes could not be scrubbed: somebody took them meanwhile; try again", left.value));
}

}  // namespace p2pd
