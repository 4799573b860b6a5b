// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/fuse_file.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

namespace p2pd::test {

namespace fs = std::filesystem;

std::unique_ptr<FuseFile> FuseFile::mount(const fs::path& directory, pid_t stuck) {
  const auto path = directory / "fuse";
  const UniqueFd point(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
  UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  const auto options = "fd=" + std::to_string(device.get()) + ",rootmode=100000,user_id=0,group_id=0,allow_other";
  if (!device || ::mount("p2pd-test", path.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) < 0) return nullptr;
  return std::unique_ptr<FuseFile>(new FuseFile(path, std::move(device), stuck));
}

FuseFile::FuseFile(fs::path path, UniqueFd device, pid_t stuck)
    : path_(std::move(path)), device_(std::move(device)), leave_(::eventfd(0, EFD_CLOEXEC)), stuck_(stuck) {
  thread_ = std::thread([this] { serve(); });
}

FuseFile::~FuseFile() {
  ::umount2(path_.c_str(), MNT_DETACH);
  ::eventfd_write(leave_.get(), 1);
  thread_.join();
}

UniqueFd FuseFile::open() const {
  UniqueFd file(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) throw std::system_error(errno, std::generic_category(), "open " + path_.string());
  return file;
}

std::size_t FuseFile::stuck_closes() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void FuseFile::let_go() {
  const std::lock_guard lock(mutex_);
  lets_go_ = true;
  for (const auto unique : waiting_) reply(unique, 0, nullptr, 0);
  waiting_.clear();
}

void FuseFile::serve() {
  while (true) {
    std::array<pollfd, 2> ready{{{device_.get(), POLLIN, 0}, {leave_.get(), POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), -1);
    if (ready[1].revents != 0) return;
    answer_one();
  }
}

void FuseFile::answer_one() {
  alignas(fuse_in_header) std::array<char, FUSE_MIN_READ_BUFFER + 65536> buffer;
  if (::read(device_.get(), buffer.data(), buffer.size()) < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
  fuse_in_header request{};
  std::memcpy(&request, buffer.data(), sizeof request);
  switch (request.opcode) {
    case FUSE_INIT: {
      fuse_init_out out{};
      out.major = FUSE_KERNEL_VERSION;
      out.minor = 31;
      out.max_write = 4096;
      return reply(request.unique, 0, &out, sizeof out);
    }
    case FUSE_GETATTR: {
      fuse_attr_out out{};
      out.attr.ino = 1;
      out.attr.mode = S_IFREG | 0666;
      out.attr.nlink = 1;
      return reply(request.unique, 0, &out, sizeof out);
    }
    case FUSE_OPEN: {
      const fuse_open_out out{};
      return reply(request.unique, 0, &out, sizeof out);
    }
    case FUSE_FLUSH: {
      const std::lock_guard lock(mutex_);
      // The kernel names the thread.
      const auto thread = "/proc/" + std::to_string(stuck_) + "/task/" + std::to_string(request.pid);
      if (!lets_go_ && fs::exists(thread)) return waiting_.push_back(request.unique);
      return reply(request.unique, 0, nullptr, 0);
    }
    case FUSE_RELEASE: return reply(request.unique, 0, nullptr, 0);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT: return;
    default: return reply(request.unique, -ENOSYS, nullptr, 0);
  }
}

void FuseFile::reply(std::uint64_t unique, int error, const void* body, std::size_t size) const {
  fuse_out_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + size);
  header.error = error;
  header.unique = unique;
  const std::array<iovec, 2> parts{{{&header, sizeof header}, {const_cast<void*>(body), size}}};
  static_cast<void>(::writev(device_.get(), parts.data(), size == 0 ? 1 : 2));
}

}  // namespace p2pd::test
