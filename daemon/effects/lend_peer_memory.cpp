// SPDX-License-Identifier: LGPL-2.1-or-later
#include <spdlog/spdlog.h>

#include "effects/grant_name.h"
#include "effects/lease.h"
#include "effects/runner_impl.h"
#include "mapping/peer_pool.h"
#include "state/lent_pools.h"

namespace p2pd {

namespace {

// On a worker of its own: megabytes of memory that is not cached take long, and others wait for theirs.
Outcome<UniqueFd> open_scrubbed(const std::filesystem::path& sysfs_root, const Address& device, std::uint64_t pool, Bytes length,
                                const FaultInjector& fail) {
  PeerPool opened;
  Transaction transaction("prepare the memory of " + device.to_string(), fail);
  const auto open_it = [&]() -> Outcome<void> {
    auto found = open_peer_pool(sysfs_root, device, pool);
    if (!found) return error_of(found);
    opened = std::move(*found);
    return {};
  };
  if (auto done = transaction.run({"open the pool", open_it, {}}); !done) return error_of(done);
  const auto scrub_it = [&] { return scrub(opened, length, real_kernel_calls()); };
  if (auto done = transaction.run({"scrub", scrub_it, {}}); !done) return error_of(done);
  transaction.keep();
  return std::move(opened.allocate);
}

}  // namespace

Outcome<void> KernelObjects::run_lend(const LendPeerMemory& effect, int pool, const std::filesystem::path& directory,
                                      const std::string& grant_path) {
  const auto lease = effect.lease.socket.get();
  const LentPool lent{effect.pool, effect.uid};
  Transaction transaction("lend the memory of " + effect.device.to_string() + " as " + text_of(effect.mapping), fail_);
  if (auto done = run_check_lease(transaction, effect.lease); !done) return done;
  const auto before = read_lent_pools(directory);
  if (const auto known = before.find(effect.device); known == before.end() || known->second != lent) {
    const auto note_it = [&] { return write_lent_pool(directory, effect.device, lent); };
    const auto forget_it = [&] { forget_lent_pool(directory, effect.device); };
    if (auto done = transaction.run({"note who is lent it", note_it, forget_it}); !done) return done;
  }
  std::vector<std::string> name;
  if (auto done = run_keep(transaction, name, stored_name(effect.mapping, lease_suffix), lease, true); !done) return done;
  // Last: what the client has, nothing takes back.
  const auto send = [&] { return send_fds(lease, grant_path, {pool}); };
  if (auto done = transaction.run({"send the pool", send, {}}); !done) return done;
  transaction.keep();
  return {};
}

Outcome<std::optional<Lease>> KernelObjects::lend_peer_memory(LendPeerMemory effect, UniqueFd pool,
                                                              const std::filesystem::path& directory,
                                                              const std::string& grant_path) {
  if (auto done = run_lend(effect, pool.get(), directory, grant_path); !done) {
    end_lease(effect.lease.socket.get());
    return error_of(done);
  }
  return std::move(effect.lease);
}

void KernelObjects::end_peer_memory(const EndPeerMemory& effect) { store_.remove({stored_name(effect.mapping, lease_suffix)}); }

void Runner::run(LendPeerMemory effect) {
  const auto scrub_it = [root = impl_->parts.driver_paths.sysfs_root, device = effect.device, pool = effect.pool,
                         length = effect.length,
                         fail = impl_->parts.fail] { return open_scrubbed(root, device, pool, length, fail); };
  auto lend_it = [impl = impl_.get(), effect = std::move(effect)](Outcome<UniqueFd> opened) mutable {
    const auto mapping = effect.mapping;
    if (!opened) {
      end_lease(effect.lease.socket.get());
      return impl->mapped(mapping, std::nullopt, error_of(opened));
    }
    impl->worker.run(
        [impl, effect = std::move(effect), pool = std::move(*opened), path = impl->parts.path_of(mapping)]() mutable {
          return impl->kernel.lend_peer_memory(std::move(effect), std::move(pool), impl->parts.runtime_directory, path);
        },
        [impl, mapping](Outcome<std::optional<Lease>> outcome) { impl->mapped(mapping, std::nullopt, std::move(outcome)); });
  };
  impl_->scrubber.run(scrub_it, std::move(lend_it));
}

void Runner::run(EndPeerMemory effect) {
  impl_->be_quiet(effect.mapping);
  impl_->worker.run(
      [impl = impl_.get(), effect]() -> Outcome<void> {
        impl->kernel.end_peer_memory(effect);
        return {};
      },
      [impl = impl_.get(), effect](const Outcome<void>&) {
        impl->forget(effect.mapping);
        impl->parts.post(Unmapped{effect.mapping, {}});
      });
}

}  // namespace p2pd
