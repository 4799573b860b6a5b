// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peer-to-peer DMA from end to end, with QEMU's edu device as the initiator. An ordinary user runs it who may acquire and
// map (group p2p):
//
//   dma-round-trip INITIATOR TARGET [FILE|--pattern TEXT] [--offset BYTES] [--address-bits N] [--bus BUS]
//                  [--once|--look-again|--interactive]
//
// FILE's bytes (up to 2048), TEXT over and over, or a sentence go RAM → edu → BAR → edu → other RAM and are compared. Then the
// lease is given back, the device's descriptor is kept, and the same engine writes other bytes to the old cookie: that
// must change nothing, which whoever sees the BAR otherwise (the host of a virtual machine) can confirm.
//
// --once         ends after the comparison.
// --look-again   borrows the device anew at the end and looks by itself.
// --interactive  takes commands after the comparison, a line each, and answers each with a line, `ok …` or `error …`:
//                  load TEXT    TEXT goes RAM → edu            store      edu → BAR
//                  write TEXT   both                           read       BAR → edu → RAM, shows the bytes
//                  release      gives the lease back; descriptor and cookies stay
//                  quit         so does the end of the input
#include <p2pclient/p2pclient.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "edu.h"

namespace {

struct Options {
  std::string initiator;
  std::string target;
  std::string file;
  std::string pattern;
  std::uint64_t offset = 0;
  unsigned address_bits = 28;  // what edu's engine reaches as QEMU makes it
  std::string backend;
  std::string bus = "system";
  bool once = false;
  bool look_again = false;
  bool interactive = false;
};

std::string hex(p2pclient::Iova address) {
  std::ostringstream text;
  text << "0x" << std::hex << address.value;
  return text.str();
}

// The first bytes, readable.
std::string excerpt(const std::string& bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 32)) text += c >= ' ' && c <= '~' ? c : '.';
  return text;
}

std::string read_payload(const std::string& file, const std::string& pattern) {
  if (!pattern.empty()) {
    std::string payload;
    while (payload.size() < Edu::most) payload += pattern;
    payload.resize(Edu::most);
    return payload;
  }
  if (file.empty()) return "One device wrote this straight into the memory of another.";
  std::ifstream stream(file, std::ios::binary);
  std::string payload(std::istreambuf_iterator<char>(stream), {});
  if (!stream || payload.empty()) throw std::runtime_error("no bytes in `" + file + "`");
  payload.resize(std::min(payload.size(), Edu::most));
  return payload;
}

// What one lease holds: the device, memory to send from and to receive into, and the target.
class Route {
 public:
  Route(p2pclient::Client& client, const Options& options)
      : holding_(client.acquire(options.initiator, {options.address_bits, options.backend})),
        source_mapping_(holding_.map_memory(source_, {.access = p2pclient::Access::read})),
        sink_mapping_(holding_.map_memory(sink_, {.access = p2pclient::Access::write})),
        target_(holding_.map(options.target)),
        peer_{target_.cookie().value + options.offset},
        edu_(holding_.device()) {
    if (options.offset > target_.length() || target_.length() - options.offset < Edu::most)
      throw std::runtime_error("the target has no 2048 bytes at that offset");
    std::cout << "holding  " << options.initiator << " as " << holding_.path() << " (" << holding_.backend() << ")\n"
              << "memory   at " << hex(source()) << " to send from, at " << hex(sink()) << " to receive into\n"
              << "target   " << options.target << " at " << hex(peer_) << ", " << target_.length() << " bytes mapped" << '\n'
              << std::flush;
  }

  // RAM → edu.
  void load(const std::string& payload) {
    count_ = std::min(payload.size(), Edu::most);
    std::ranges::copy(std::as_bytes(std::span(payload)).first(count_), source_.data());
    edu_.load(source(), count_);
  }
  // edu → BAR: as many bytes as were loaded.
  void store() const { edu_.store(peer_, count_); }
  // BAR → edu → other RAM.
  [[nodiscard]] std::string read_back() const {
    std::ranges::fill(sink_.bytes(), std::byte{0});
    edu_.load(peer_, count_);
    edu_.store(sink(), count_);
    return {reinterpret_cast<const char*>(sink_.data()), count_};
  }
  // Returns when everything is unmapped. The descriptor of the device stays open in edu_.
  void release() { holding_.release(); }

  [[nodiscard]] p2pclient::Iova source() const { return source_mapping_.cookie(); }
  [[nodiscard]] p2pclient::Iova sink() const { return sink_mapping_.cookie(); }
  [[nodiscard]] p2pclient::Iova peer() const { return peer_; }
  void expect(std::size_t count) { count_ = count; }

 private:
  p2pclient::Buffer source_{Edu::most};
  p2pclient::Buffer sink_{Edu::most};
  p2pclient::Holding holding_;
  p2pclient::Mapping source_mapping_;
  p2pclient::Mapping sink_mapping_;
  p2pclient::Mapping target_;
  p2pclient::Iova peer_;  // the cookie plus --offset
  Edu edu_;
  std::size_t count_ = Edu::most;
};

bool round_trip(Route& route, const std::string& payload) {
  route.load(payload);
  std::cout << "DMA      RAM " << hex(route.source()) << " -> edu: " << excerpt(payload) << '\n';
  route.store();
  std::cout << "DMA      edu -> BAR " << hex(route.peer()) << '\n';
  const auto arrived = route.read_back();
  std::cout << "DMA      BAR " << hex(route.peer()) << " -> edu -> other RAM " << hex(route.sink()) << '\n';
  const bool same = arrived == payload;
  std::cout << "compared " << payload.size() << " bytes: " << (same ? "equal" : "DIFFERENT") << ": " << excerpt(arrived) << '\n'
            << std::flush;
  return same;
}

void try_after_release(Route& route, const std::string& payload) {
  auto other = payload;
  for (char& c : other) c = static_cast<char>(~c);
  // Into the engine before the lease goes: then nothing but the way to the BAR is in question.
  route.load(other);
  route.release();
  std::cout << "released the lease; the descriptor of the device stays open\n";
  route.store();
  std::cout << "DMA      edu -> BAR " << hex(route.peer()) << " (the old cookie), every bit of the bytes inverted\n"
            << std::flush;
}

// p2pd needs a moment to see that the last copy of the old descriptor is gone.
Route acquire_again(p2pclient::Client& client, const Options& options) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (true) {
    try {
      return Route(client, options);
    } catch (const p2pclient::Error& error) {
      if (!error.is(p2pclient::error_name::busy) || std::chrono::steady_clock::now() > deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

bool look_again(p2pclient::Client& client, const Options& options, const std::string& payload) {
  auto route = acquire_again(client, options);
  route.expect(payload.size());
  const bool unchanged = route.read_back() == payload;
  std::cout << "looked   again by DMA: the BAR is " << (unchanged ? "unchanged" : "CHANGED") << '\n' << std::flush;
  return unchanged;
}

std::string answer(Route& route, const std::string& line) {
  const auto space = line.find(' ');
  const auto verb = line.substr(0, space);
  const auto text = space == std::string::npos ? std::string() : line.substr(space + 1);
  if ((verb == "load" || verb == "write") && text.empty()) return "error no text given";
  if (verb == "load" || verb == "write") route.load(text);
  if (verb == "store" || verb == "write") route.store();
  if (verb == "load") return "ok loaded into edu";
  if (verb == "store" || verb == "write") return "ok edu wrote to " + hex(route.peer());
  if (verb == "read") return "ok " + excerpt(route.read_back());
  if (verb == "release") {
    route.release();
    return "ok released";
  }
  return "error unknown command: " + verb;
}

void converse(Route& route) {
  std::cout << "ready\n" << std::flush;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    try {
      std::cout << answer(route, line) << '\n' << std::flush;
    } catch (const std::exception& error) {
      std::cout << "error " << error.what() << '\n' << std::flush;
    }
  }
}

int run(const Options& options) {
  const auto payload = read_payload(options.file, options.pattern);
  auto client = p2pclient::Client::connect({.bus = options.bus});
  {
    Route route(client, options);
    if (!round_trip(route, payload)) return 1;
    if (options.interactive) converse(route);
    if (options.interactive || options.once) return 0;
    try_after_release(route, payload);
  }
  return !options.look_again || look_again(client, options, payload) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"RAM -> edu -> BAR -> edu -> other RAM, compared byte by byte; then the same without a lease.", "dma-round-trip"};
  app.add_option("INITIATOR", options.initiator, "an edu device, dddd:bb:dd.f")->required();
  app.add_option("TARGET", options.target, "a BAR, ADDRESS:BAR[:OFFSET+LENGTH]")->required();
  auto* file = app.add_option("FILE", options.file, "what is moved, up to 2048 bytes")->check(CLI::ExistingFile);
  app.add_option("--pattern", options.pattern, "move this text instead, repeated to 2048 bytes")->excludes(file);
  app.add_option("--offset", options.offset, "into the target, bytes (0)");
  app.add_option("--address-bits", options.address_bits, "how far edu's engine reaches (28)");
  app.add_option("--backend", options.backend, "iommufd or vfio-type1 (the preferred one that can)");
  app.add_option("--bus", options.bus, "system, session or a D-Bus address (system)");
  app.add_flag("--once", options.once, "end after the comparison");
  app.add_flag("--look-again", options.look_again, "borrow the device anew at the end and look whether the BAR changed");
  app.add_flag("--interactive", options.interactive, "take commands: load TEXT, store, write TEXT, read, release, quit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 64;
  }
  try {
    return run(options);
  } catch (const p2pclient::Error& error) {
    std::cerr << "dma-round-trip: error: " << error.what() << " (" << error.name() << ")\n";
    return error.is_refusal() ? 3 : error.is_unreachable() ? 69 : 1;
  } catch (const std::exception& error) {
    std::cerr << "dma-round-trip: error: " << error.what() << '\n';
    return 1;
  }
}
