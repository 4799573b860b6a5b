// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/holding.h"

#include <sdbus-c++/sdbus-c++.h>

#include "connection.h"
#include "holding_impl.h"
#include "org.p2pd1.Holding-proxy.h"
#include "org.p2pd1.Manager-proxy.h"
#include "org.p2pd1.Mapping-proxy.h"

namespace p2pclient {

namespace {

using ManagerProxy = CallProxy<org::p2pd1::Manager_proxy>;
using HoldingProxy = GrantProxy<org::p2pd1::Holding_proxy>;
using MappingProxy = GrantProxy<org::p2pd1::Mapping_proxy>;

// A lease of the mapping's own, when asked for: p2pd's end goes into the options.
Lease add_lease(bool wanted, Options& options) {
  if (!wanted) return {};
  auto pair = Lease::create();
  options.emplace("lease", sdbus::Variant{sdbus::UnixFd(pair.theirs.release(), sdbus::adopt_fd)});
  return std::move(pair.ours);
}

}  // namespace

bool is_mapping_path(const std::string& path) { return path.starts_with(manager_path + "/mapping/"); }

void release_grant(Connection& connection, const std::string& path) {
  guard([&] {
    if (is_mapping_path(path))
      connection.proxy<MappingProxy>(path).Release({});
    else
      connection.proxy<HoldingProxy>(path).Release({});
  });
}

Mapping::Mapping(std::shared_ptr<Connection> connection, std::string path, Iova cookie, std::uint64_t length,
                 Lease lease) noexcept
    : connection_(std::move(connection)), path_(std::move(path)), cookie_(cookie), length_(length), lease_(std::move(lease)) {}
Mapping::Mapping(Mapping&&) noexcept = default;
Mapping& Mapping::operator=(Mapping&&) noexcept = default;
Mapping::~Mapping() = default;

void Mapping::release() {
  release_grant(*connection_, path_);
  lease_.end();
}

Holding::Holding(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Holding::Holding(Holding&&) noexcept = default;
Holding& Holding::operator=(Holding&&) noexcept = default;
// The fds close: when no child has a copy of the lease, p2pd sees it end.
Holding::~Holding() = default;

const std::string& Holding::path() const noexcept { return impl_->path; }
const std::string& Holding::initiator() const noexcept { return impl_->initiator; }
const std::string& Holding::backend() const noexcept { return impl_->backend; }
int Holding::device_fd() const noexcept { return impl_->device_fd.get(); }
VfioDevice Holding::device() const { return VfioDevice(impl_->device_fd.duplicate()); }
Lease& Holding::lease() noexcept { return impl_->lease; }

Mapping Holding::map_memory(const Buffer& buffer, const MapMemoryOptions& options) {
  const auto length = options.length != 0 || options.offset >= buffer.size() ? options.length : buffer.size() - options.offset;
  Options terms{{"access", sdbus::Variant{std::string(to_string(options.access))}}};
  auto lease = add_lease(options.own_lease, terms);
  const auto [path, iova] = guard([&] {
    // Not UnixFd(int): its copy has no CLOEXEC.
    const sdbus::UnixFd memfd(FileDescriptor::copy_of(buffer.fd()).release(), sdbus::adopt_fd);
    return impl_->connection->proxy<ManagerProxy>(manager_path).MapMemory(impl_->path, memfd, options.offset, length, terms);
  });
  return {impl_->connection, path, Iova{iova}, length, std::move(lease)};
}

Mapping Holding::map(const std::string& target, const MapOptions& options) {
  Options terms;
  if (options.access) terms.emplace("access", sdbus::Variant{std::string(to_string(*options.access))});
  if (options.cookie) terms.emplace("cookie", sdbus::Variant{options.cookie->value});
  if (!options.backend.empty()) terms.emplace("backend", sdbus::Variant{options.backend});
  auto lease = add_lease(options.own_lease, terms);
  const auto [path, cookie, length] =
      guard([&] { return impl_->connection->proxy<ManagerProxy>(manager_path).Map(impl_->path, target, terms); });
  return {impl_->connection, path, Iova{cookie}, length, std::move(lease)};
}

void Holding::release() {
  release_grant(*impl_->connection, impl_->path);
  impl_->lease.end();
  impl_->device_fd.reset();
}

}  // namespace p2pclient
