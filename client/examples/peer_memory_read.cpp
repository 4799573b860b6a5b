// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads from a disk straight into the memory of another device, past RAM: O_DIRECT into memory that p2pd lends (an NVMe
// controller memory buffer, say). Then reads the same again into RAM, and compares. Whoever runs it needs the right to read
// the file. Needs Linux 6.2.
#include <fcntl.h>
#include <p2pclient/p2pclient.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace {

void read_all(int fd, std::byte* to, std::size_t length, const std::string& what) {
  for (std::size_t done = 0; done < length;) {
    const auto count = ::pread(fd, to + done, length - done, static_cast<off_t>(done));
    if (count < 0) throw std::system_error(errno, std::generic_category(), what);
    if (count == 0) throw std::runtime_error(what + ": it has only " + std::to_string(done) + " bytes");
    done += static_cast<std::size_t>(count);
  }
}

// O_DIRECT both times: what the page cache has says nothing of the disk.
p2pclient::FileDescriptor open_directly(const std::string& path) {
  p2pclient::FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), path);
  return fd;
}

// Word by word: it is a device's memory, where what memcpy() may choose to do need not work.
std::vector<std::uint64_t> words_of(const p2pclient::PeerMapping& memory, std::size_t length) {
  const auto* const words = reinterpret_cast<const volatile std::uint64_t*>(memory.data());
  return {words, words + length / sizeof(std::uint64_t)};
}

struct Wishes {
  std::string target;
  std::string file;
  std::size_t length = 65536;
  bool waits = false;
};

int run(const Wishes& wishes) {
  auto client = p2pclient::Client::connect();
  auto memory = client.allocate_peer_memory(wishes.target, wishes.length);
  std::optional piece = memory.map(wishes.length);
  std::cout << "allocated " << piece->size() << " bytes of " << wishes.target << " as " << memory.path() << '\n';
  const auto before = words_of(*piece, wishes.length);
  const bool was_scrubbed = std::ranges::all_of(before, [](std::uint64_t word) { return word == 0; });
  std::cout << "it holds " << (was_scrubbed ? "zeros" : "SOMEBODY'S BYTES") << '\n';

  const auto disk = open_directly(wishes.file);
  read_all(disk.get(), piece->data(), wishes.length, wishes.file + " into " + wishes.target);
  const p2pclient::Buffer ram(wishes.length);
  read_all(disk.get(), ram.data(), wishes.length, wishes.file);
  const auto moved = words_of(*piece, wishes.length);
  const bool same = std::memcmp(moved.data(), ram.data(), wishes.length) == 0;
  std::cout << "compared " << wishes.length << " bytes: " << (same ? "equal" : "DIFFERENT") << '\n' << std::flush;

  if (wishes.waits) std::cin.get();
  piece.reset();
  memory.release();
  std::cout << "released\n";
  return same && was_scrubbed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Wishes wishes;
  CLI::App app{"Reads from a disk straight into memory of another device.", "peer-memory-read"};
  app.add_option("TARGET", wishes.target, "a BAR that is enabled as memory of a kernel driver, ADDRESS:BAR")->required();
  app.add_option("FILE", wishes.file, "what to read: a disk, or a file on one")->required();
  app.add_option("--length", wishes.length, "bytes, a multiple of 4096")->capture_default_str();
  app.add_flag("--wait", wishes.waits, "keep it until a line, or the end of input, is read");
  try {
    app.parse(argc, argv);
    return run(wishes);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 64;
  } catch (const std::exception& error) {
    std::cerr << "peer-memory-read: error: " << error.what() << '\n';
    return 1;
  }
}
