// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/client.h"

#include <algorithm>
#include <thread>

#include "connection.h"
#include "decode.h"
#include "holding_impl.h"
#include "matrix.h"
#include "org.p2pd1.Device-proxy.h"
#include "org.p2pd1.Holding-proxy.h"
#include "org.p2pd1.Manager-proxy.h"
#include "org.p2pd1.Mapping-proxy.h"
#include "target.h"

namespace p2pclient {

namespace {

// p2pd has sent the descriptor before it answers.
constexpr std::chrono::seconds patience_for_the_fd{10};
// How long p2pd may have no time for us.
constexpr std::chrono::seconds patience_for_a_share{60};

using ManagerProxy = CallProxy<org::p2pd1::Manager_proxy>;
using DeviceProxy = CallProxy<org::p2pd1::Device_proxy>;
using HoldingProxy = GrantProxy<org::p2pd1::Holding_proxy>;
using MappingProxy = GrantProxy<org::p2pd1::Mapping_proxy>;

ManagerProxy manager_proxy(Connection& connection) { return connection.proxy<ManagerProxy>(manager_path); }

DeviceProxy device_proxy(Connection& connection, const std::string& address) {
  return connection.proxy<DeviceProxy>(guard([&] { return manager_proxy(connection).GetDeviceByAddress(address); }));
}

Options take_back(const TakeBackOptions& options) {
  return {{"force", sdbus::Variant{options.force}},
          {"grace_ms", sdbus::Variant{static_cast<std::uint32_t>(options.grace.count())}}};
}

Options address_bits(const std::optional<unsigned>& bits) {
  if (!bits) return {};
  return {{"address_bits", sdbus::Variant{static_cast<std::uint32_t>(*bits)}}};
}

// `what`: "the device of the holding"
FileDescriptor receive_fd(Lease& lease, const std::string& what) {
  const auto deadline = std::chrono::steady_clock::now() + patience_for_the_fd;
  const auto left = [&] { return std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()); };
  while (auto notice = lease.read(left())) {
    if (notice->event == Notice::Event::fds && !notice->fds.empty()) return std::move(notice->fds.front());
    if (notice->event == Notice::Event::ended || notice->event == Notice::Event::revoked)
      throw Error(std::string(error_name::gone), "p2pd took " + what + " back at once");
  }
  throw Error(std::string(error_name::failed), "p2pd granted " + what + ", but it did not come over the lease");
}

// All objects that have `interface`, decoded.
template <class Decode>
auto collect(Connection& connection, const char* interface, Decode decode) {
  std::vector<decltype(decode(std::string(), Properties()))> values;
  for (const auto& [path, interfaces] : connection.managed_objects())
    if (const auto found = interfaces.find(interface); found != interfaces.end()) values.push_back(decode(path, found->second));
  return values;
}

// The defaults of CheckAll.
std::vector<std::string> all_initiators(const std::vector<Device>& devices) {
  std::vector<std::string> names;
  for (const auto& device : devices)
    if (!device.is_bridge) names.push_back(device.address);
  return names;
}

std::vector<std::string> all_targets(const std::vector<Device>& devices) {
  std::vector<std::string> names;
  for (const auto& device : devices)
    for (const auto& bar : device.bars)
      if (!device.is_bridge && bar.is_memory && bar.is_assigned)
        names.push_back(device.address + ":" + std::to_string(bar.index));
  return names;
}

Matrix ask_pairs(Connection& connection, const std::vector<std::string>& initiators, const std::vector<std::string>& targets) {
  return guard([&] {
    Matrix matrix;
    std::vector<std::string> legend;
    std::tie(matrix.initiators, matrix.targets, matrix.cells, legend) =
        manager_proxy(connection).CheckAll({{"initiators", sdbus::Variant{initiators}}, {"targets", sdbus::Variant{targets}}});
    for (const auto& word : legend) matrix.kinds.push_back(decode_pair(word));
    return matrix;
  });
}

// Who asks about very many pairs uses up its share of p2pd's time, and gets the rest as it comes.
Matrix ask_patiently(Connection& connection, const std::vector<std::string>& initiators,
                     const std::vector<std::string>& targets) {
  constexpr std::chrono::milliseconds pause{500};
  for (auto tries_left = patience_for_a_share / pause;; --tries_left) {
    try {
      return ask_pairs(connection, initiators, targets);
    } catch (const Error& error) {
      if (error.name() != error_name::quota_exceeded || tries_left == 0) throw;
    }
    std::this_thread::sleep_for(pause);
  }
}

// Paths end in numbers: 10 comes after 9.
bool earlier(const std::string& a, const std::string& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; }

}  // namespace

Client::Client(std::shared_ptr<Connection> connection) noexcept : connection_(std::move(connection)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Client Client::connect(const ConnectOptions& options) { return Client(std::make_shared<Connection>(options)); }

DaemonInfo Client::info() const { return decode_info(connection_->properties(manager_path, "org.p2pd1.Manager")); }

std::vector<Device> Client::devices() const {
  auto devices = collect(*connection_, device_interface,
                         [](const std::string&, const Properties& properties) { return decode_device(properties); });
  std::sort(devices.begin(), devices.end(), [](const Device& a, const Device& b) { return earlier(a.address, b.address); });
  return devices;
}

Device Client::device(const std::string& address) const {
  const auto path = guard([&] { return manager_proxy(*connection_).GetDeviceByAddress(address); });
  return decode_device(connection_->properties(path, device_interface));
}

std::vector<HoldingInfo> Client::holdings() const {
  auto holdings = collect(*connection_, holding_interface, decode_holding);
  std::sort(holdings.begin(), holdings.end(), [](const auto& a, const auto& b) { return earlier(a.path, b.path); });
  return holdings;
}

std::vector<MappingInfo> Client::mappings() const {
  auto mappings = collect(*connection_, mapping_interface, decode_mapping);
  std::sort(mappings.begin(), mappings.end(), [](const auto& a, const auto& b) { return earlier(a.path, b.path); });
  return mappings;
}

Verdict Client::check(const std::string& initiator, const std::string& target, const CheckOptions& options) const {
  return guard([&] {
    return decode_verdict(std::get<1>(manager_proxy(*connection_).Check(initiator, target, address_bits(options.address_bits))));
  });
}

ReachSet Client::reach_set(const std::string& initiator) const {
  return guard([&] {
    ReachSet reach;
    std::tie(reach.targets, reach.is_complete) = manager_proxy(*connection_).GetReachSet(initiator);
    return reach;
  });
}

Matrix Client::check_all(const std::vector<std::string>& initiators, const std::vector<std::string>& targets) const {
  const auto known = initiators.empty() || targets.empty() ? devices() : std::vector<Device>();
  return ask_in_parts(initiators.empty() ? all_initiators(known) : initiators, targets.empty() ? all_targets(known) : targets,
                      [&](const auto& rows, const auto& columns) { return ask_patiently(*connection_, rows, columns); });
}

void Client::enable(const std::string& target, const EnableOptions& options) {
  const auto parts = split_target(target);
  Options terms{{"exclusive", sdbus::Variant{options.exclusive}}};
  if (options.access) terms.emplace("access", sdbus::Variant{std::string(to_string(*options.access))});
  if (options.force) terms.emplace("force", sdbus::Variant{true});
  auto device = device_proxy(*connection_, parts.device);
  guard([&] { device.Enable(parts.bar, parts.offset, parts.length, terms); });
}

void Client::disable(const std::string& target, const TakeBackOptions& options) {
  const auto parts = split_target(target);
  auto device = device_proxy(*connection_, parts.device);
  guard([&] { device.Disable(parts.bar, parts.offset, parts.length, take_back(options)); });
}

void Client::offer(const std::string& initiator, const OfferOptions& options) {
  Options terms;
  if (!options.group.empty()) terms.emplace("group", sdbus::Variant{options.group});
  if (options.trusted_firmware) terms.emplace("trusted_firmware", sdbus::Variant{true});
  auto device = device_proxy(*connection_, initiator);
  guard([&] { device.Offer(terms); });
}

void Client::withdraw(const std::string& initiator, const TakeBackOptions& options) {
  auto device = device_proxy(*connection_, initiator);
  guard([&] { device.Withdraw(take_back(options)); });
}

void Client::bind(const std::string& address, bool force, bool group) {
  auto device = device_proxy(*connection_, address);
  guard([&] { device.Bind({{"force", sdbus::Variant{force}}, {"group", sdbus::Variant{group}}}); });
}

void Client::unbind(const std::string& address, bool force, bool group) {
  auto device = device_proxy(*connection_, address);
  guard([&] { device.Unbind({{"force", sdbus::Variant{force}}, {"group", sdbus::Variant{group}}}); });
}

void Client::reset(const std::string& address, const TakeBackOptions& options) {
  auto device = device_proxy(*connection_, address);
  guard([&] { device.Reset(take_back(options)); });
}

Holding Client::acquire(const std::string& initiator, const AcquireOptions& options) {
  auto pair = Lease::create();
  const auto [path, grant] = guard([&] {
    // Moved in: sdbus::UnixFd copies lose CLOEXEC.
    const sdbus::UnixFd theirs(pair.theirs.release(), sdbus::adopt_fd);
    auto terms = address_bits(options.address_bits);
    if (!options.backend.empty()) terms.emplace("backend", sdbus::Variant{options.backend});
    return manager_proxy(*connection_).Acquire(initiator, theirs, terms);
  });
  auto impl = std::make_unique<Holding::Impl>();
  impl->connection = connection_;
  impl->path = path;
  impl->initiator = initiator;
  if (const auto found = grant.find("backend"); found != grant.end() && found->second.containsValueOfType<std::string>())
    impl->backend = found->second.get<std::string>();
  impl->device_fd = receive_fd(pair.ours, "the device");
  impl->lease = std::move(pair.ours);
  return Holding(std::move(impl));
}

DmaBuf Client::export_dma_buf(const std::string& target) {
  auto pair = Lease::create();
  const auto path = guard([&] {
    // Moved in: sdbus::UnixFd copies lose CLOEXEC.
    const sdbus::UnixFd theirs(pair.theirs.release(), sdbus::adopt_fd);
    return manager_proxy(*connection_).ExportDmaBuf(target, theirs, {});
  });
  auto fd = receive_fd(pair.ours, "the dma-buf");
  return {connection_, path, std::move(fd), std::move(pair.ours)};
}

PeerMemory Client::allocate_peer_memory(const std::string& target, std::uint64_t length) {
  auto pair = Lease::create();
  const auto path = guard([&] {
    // Moved in: sdbus::UnixFd copies lose CLOEXEC.
    const sdbus::UnixFd theirs(pair.theirs.release(), sdbus::adopt_fd);
    return manager_proxy(*connection_).AllocatePeerMemory(target, length, theirs, {});
  });
  auto fd = receive_fd(pair.ours, "the peer memory");
  return {connection_, path, std::move(fd), std::move(pair.ours)};
}

void Client::release(const std::string& path) { release_grant(*connection_, path); }

void Client::revoke(const std::string& path, const std::string& why, std::chrono::milliseconds grace) {
  const Options options{{"grace_ms", sdbus::Variant{static_cast<std::uint32_t>(grace.count())}}};
  guard([&] {
    if (is_mapping_path(path))
      connection_->proxy<MappingProxy>(path).Revoke(why, options);
    else
      connection_->proxy<HoldingProxy>(path).Revoke(why, options);
  });
}

}  // namespace p2pclient
