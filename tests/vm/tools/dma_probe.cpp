// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client for tests in the guest, driven line by line. Run as an unprivileged user.
//
//   dma-probe [--bus BUS]                 commands on standard input, answers on standard output
//   dma-probe [--bus BUS] --serve PATH    the same over a UNIX stream socket, one conversation at a time, until `quit`
//   dma-probe --talk PATH COMMAND...      says one command to whoever serves PATH, prints the answer;
//                                         exit status 0 for `ok`, 1 for `error`, 2 when nobody answers
//
// Every command gets one line: `ok [KEY=VALUE]...` or `error NAME TEXT`, NAME being a D-Bus error name or `local`.
// SEED is a word; it is repeated to 2048 bytes. Addresses are hex.
//
//   acquire INITIATOR [BITS [BACKEND]]
//                              holding=PATH backend=NAME pid=N      BITS: address_bits, default 28
//   memory                     source=IOVA sink=IOVA                maps own memory to read from and to write to
//   map TARGET [own-lease]     mapping=PATH cookie=IOVA length=N
//   load SEED                  RAM → edu: needs the mapping of memory
//   store                      edu → BAR, to the cookie of `map`
//   write SEED                 load and store
//   read                       BAR → edu → RAM; bytes=HEX of all 2048
//   unmap                      releases the mapping of the target and waits; the cookie is remembered
//   release                    releases the holding and waits; device fd, memory and cookies are kept
//   close-lease                closes this process' copy of the lease, nothing else
//   shutdown-lease             shutdown() on the lease: ends it for all copies
//   notice [MS]                event=E grant=PATH reason=R deadline_ms=N, or `ok none` when none comes within MS (2000)
//   fork-holder PATH           pid=N: a child that keeps device fd, memory and cookies, but no lease and no bus; it serves
//                              load, store, write, read, close-device and quit at PATH, and outlives its parent
//   lease-child                pid=N: a child that keeps the lease and nothing else, and sleeps
//   close-device               closes this process' copy of the device fd
//   quit
#include <fcntl.h>
#include <linux/close_range.h>
#include <p2pclient/p2pclient.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "edu.h"

namespace {

using p2pclient::FileDescriptor;
using p2pclient::Iova;
using Words = std::vector<std::string>;

std::string hex(std::uint64_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << value;
  return text.str();
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

[[noreturn]] void fail_errno(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

const std::string& argument(const Words& words, std::size_t index) {
  if (index >= words.size()) throw std::runtime_error("an argument is missing");
  return words[index];
}

// What does DMA: works with a lease and without.
struct Engine {
  p2pclient::Buffer source{Edu::most};
  p2pclient::Buffer sink{Edu::most};
  std::optional<Edu> edu;
  Iova source_iova;
  Iova sink_iova;
  Iova cookie;

  [[nodiscard]] const Edu& device() const {
    if (!edu) throw std::runtime_error("no device fd");
    return *edu;
  }
  void load(const std::string& seed) const {
    for (std::size_t i = 0; i < source.size(); ++i) source.data()[i] = static_cast<std::byte>(seed.at(i % seed.size()));
    device().load(source_iova, Edu::most);
  }
  void store() const { device().store(cookie, Edu::most); }
  [[nodiscard]] std::string read() const {
    std::ranges::fill(sink.bytes(), std::byte{0});
    device().load(cookie, Edu::most);
    device().store(sink_iova, Edu::most);
    return hex(sink.bytes().first(Edu::most));
  }
};

// The commands that need no p2pd; nothing for others.
std::optional<std::string> do_dma(Engine& engine, const Words& words) {
  const auto& verb = words.front();
  if (verb == "load" || verb == "write") engine.load(argument(words, 1));
  if (verb == "store" || verb == "write") engine.store();
  if (verb == "load" || verb == "store" || verb == "write") return "ok";
  if (verb == "read") return "ok bytes=" + engine.read();
  if (verb == "close-device") {
    engine.edu.reset();
    return "ok";
  }
  return std::nullopt;
}

using Answer = std::function<std::string(const Words&)>;

std::string answer_line(const Answer& answer, const std::string& line) {
  std::istringstream stream(line);
  const Words words{std::istream_iterator<std::string>(stream), {}};
  if (words.empty()) return "error local empty line";
  try {
    return answer(words);
  } catch (const p2pclient::Error& error) {
    return "error " + error.name() + " " + error.what();
  } catch (const std::exception& error) {
    return std::string("error local ") + error.what();
  }
}

// ---- a conversation over a socket

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("path too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

FileDescriptor listen_at(const std::string& path) {
  ::unlink(path.c_str());
  FileDescriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(path);
  if (!listener || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 8) != 0)
    fail_errno("listening");
  return listener;
}

std::optional<std::string> read_line(int fd) {
  std::string line;
  for (char c = 0; ::read(fd, &c, 1) == 1;) {
    if (c == '\n') return line;
    line += c;
  }
  return std::nullopt;
}

void write_line(int fd, const std::string& line) {
  const auto text = line + "\n";
  for (std::size_t written = 0; written < text.size();) {
    const auto count = ::send(fd, text.data() + written, text.size() - written, MSG_NOSIGNAL);
    if (count <= 0) return;  // whoever asked has gone
    written += static_cast<std::size_t>(count);
  }
}

void serve(const FileDescriptor& listener, const Answer& answer) {
  while (true) {
    const FileDescriptor peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer && errno != EINTR && errno != ECONNABORTED) fail_errno("accept");
    while (const auto line = read_line(peer.get())) {
      if (*line == "quit") return write_line(peer.get(), "ok");
      write_line(peer.get(), answer_line(answer, *line));
    }
  }
}

int talk(const std::string& path, const std::string& command) {
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 2;
  write_line(socket.get(), command);
  const auto answer = read_line(socket.get());
  if (!answer) return 2;
  std::cout << *answer << '\n' << std::flush;
  return answer->starts_with("ok") ? 0 : 1;
}

// ---- children

// All descriptors but these are closed; standard ones lead to nowhere.
void keep_only(std::vector<int> kept) {
  std::ranges::sort(kept);
  const FileDescriptor nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere.get(), standard);
  unsigned next = STDERR_FILENO + 1;
  for (const int fd : kept) {
    if (static_cast<unsigned>(fd) > next) ::close_range(next, static_cast<unsigned>(fd) - 1, 0);
    next = static_cast<unsigned>(fd) + 1;
  }
  ::close_range(next, ~0U, 0);
}

// A child in a session of its own, so that nothing that is meant for the parent hits it. `_exit`: the parent's objects
// are not the child's to end.
template <class Live>
pid_t make_child(const std::vector<int>& kept, Live live) {
  const pid_t pid = ::fork();
  if (pid < 0) fail_errno("fork");
  if (pid > 0) return pid;
  ::setsid();
  ::signal(SIGHUP, SIG_IGN);
  keep_only(kept);
  try {
    live();
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

// ---- the client

class Probe {
 public:
  explicit Probe(std::string bus) : bus_(std::move(bus)) {}

  std::string operator()(const Words& words) {
    if (auto done = do_dma(engine_, words)) return *done;
    const std::map<std::string, std::string (Probe::*)(const Words&)> verbs{{"acquire", &Probe::acquire},
                                                                            {"memory", &Probe::memory},
                                                                            {"map", &Probe::map},
                                                                            {"unmap", &Probe::unmap},
                                                                            {"release", &Probe::release},
                                                                            {"close-lease", &Probe::close_lease},
                                                                            {"shutdown-lease", &Probe::shutdown},
                                                                            {"notice", &Probe::notice},
                                                                            {"fork-holder", &Probe::fork_holder},
                                                                            {"lease-child", &Probe::lease_child}};
    const auto verb = verbs.find(words.front());
    return verb == verbs.end() ? "error local unknown command" : (this->*verb->second)(words);
  }

 private:
  p2pclient::Holding& holding() {
    if (!holding_) throw std::runtime_error("nothing acquired");
    return *holding_;
  }

  std::string acquire(const Words& words) {
    if (!client_) client_ = p2pclient::Client::connect({.bus = bus_});
    const unsigned bits = words.size() > 2 ? static_cast<unsigned>(std::stoul(words[2])) : 28;
    holding_ = client_->acquire(argument(words, 1), {bits, words.size() > 3 ? words[3] : ""});
    device_fd_ = FileDescriptor::copy_of(holding_->device_fd()).release();
    engine_.edu.emplace(p2pclient::VfioDevice(FileDescriptor(device_fd_)));
    return "ok holding=" + holding_->path() + " backend=" + holding_->backend() + " pid=" + std::to_string(::getpid());
  }
  std::string memory(const Words&) {
    engine_.source_iova = holding().map_memory(engine_.source, {.access = p2pclient::Access::read}).cookie();
    engine_.sink_iova = holding().map_memory(engine_.sink, {.access = p2pclient::Access::write}).cookie();
    return "ok source=" + hex(engine_.source_iova.value) + " sink=" + hex(engine_.sink_iova.value);
  }
  std::string map(const Words& words) {
    const bool own_lease = words.size() > 2 && words[2] == "own-lease";
    target_ = holding().map(argument(words, 1), {.own_lease = own_lease});
    engine_.cookie = target_->cookie();
    return "ok mapping=" + target_->path() + " cookie=" + hex(engine_.cookie.value) +
           " length=" + std::to_string(target_->length());
  }
  std::string unmap(const Words&) {
    if (!target_) throw std::runtime_error("nothing mapped");
    target_->release();
    return "ok";
  }
  std::string release(const Words&) {
    holding().release();
    return "ok";
  }
  std::string close_lease(const Words&) {
    holding().lease() = p2pclient::Lease();
    return "ok";
  }
  std::string shutdown(const Words&) {
    holding().lease().end();
    return "ok";
  }
  std::string notice(const Words& words) {
    const std::chrono::milliseconds patience{words.size() > 1 ? std::stol(words[1]) : 2000};
    const auto heard = holding().lease().read(patience);
    if (!heard) return "ok none";
    using Event = p2pclient::Notice::Event;
    const char* const event = heard->event == Event::revoking  ? "revoking"
                              : heard->event == Event::revoked ? "revoked"
                              : heard->event == Event::ended   ? "ended"
                                                               : "other";
    return std::string("ok event=") + event + " grant=" + heard->grant + " reason=" + heard->reason +
           " deadline_ms=" + std::to_string(heard->deadline.count());
  }
  std::string fork_holder(const Words& words) {
    static_cast<void>(engine_.device());
    const auto listener = listen_at(argument(words, 1));
    const auto pid = make_child({device_fd_, listener.get()}, [&] {
      serve(listener, [this](const Words& line) { return do_dma(engine_, line).value_or("error local unknown command"); });
    });
    return "ok pid=" + std::to_string(pid);
  }
  std::string lease_child(const Words&) {
    const auto pid = make_child({holding().lease().fd()}, [] {
      while (true) ::pause();
    });
    return "ok pid=" + std::to_string(pid);
  }

  std::string bus_;
  std::optional<p2pclient::Client> client_;
  std::optional<p2pclient::Holding> holding_;
  std::optional<p2pclient::Mapping> target_;
  Engine engine_;
  int device_fd_ = -1;  // engine_'s own copy
};

void converse(const Answer& answer) {
  for (std::string line; std::getline(std::cin, line) && line != "quit";)
    std::cout << answer_line(answer, line) << '\n' << std::flush;
}

int usage() {
  std::cerr << "usage: dma-probe [--bus BUS] [--serve PATH] | dma-probe --talk PATH COMMAND...\n";
  return 64;
}

}  // namespace

int main(int argc, char** argv) try {
  ::signal(SIGCHLD, SIG_IGN);  // nobody waits for the children
  std::string bus = "system";
  std::optional<std::string> path;
  Words words(argv + 1, argv + argc);
  if (words.size() >= 3 && words[0] == "--talk") {
    std::string command = words[2];
    for (std::size_t i = 3; i < words.size(); ++i) command += " " + words[i];
    return talk(words[1], command);
  }
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return usage();
    if (words[i] == "--bus")
      bus = words[i + 1];
    else if (words[i] == "--serve")
      path = words[i + 1];
    else
      return usage();
  }
  Probe probe(bus);
  const Answer answer = [&probe](const Words& line) { return probe(line); };
  if (path)
    serve(listen_at(*path), answer);
  else
    converse(answer);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "dma-probe: error: " << error.what() << '\n';
  return 1;
}
