// SPDX-License-Identifier: LGPL-2.1-or-later
#include <time.h>

#include <chrono>

#include "effects/give_up.h"
#include "effects/runner_impl.h"

namespace p2pd {

void Runner::run(const StartDeadline& effect) {
  auto deadline = std::make_unique<Impl::Deadline>(Impl::Deadline{impl_.get(), effect.grant, {}});
  const auto after = std::chrono::duration_cast<std::chrono::microseconds>(effect.after).count();
  constexpr std::uint64_t accuracy_usec = 1000;
  sd_event_source* source = nullptr;
  // BOOTTIME: a client does not get more time because the machine slept.
  must_work(sd_event_add_time_relative(
                impl_->parts.loop, &source, CLOCK_BOOTTIME, static_cast<std::uint64_t>(after), accuracy_usec,
                [](sd_event_source*, std::uint64_t, void* self) noexcept {
                  return or_give_up("a deadline", [passed = static_cast<Impl::Deadline*>(self)] {
                    Impl& impl = *passed->impl;
                    const auto grant = passed->grant;
                    impl.deadlines.erase(grant);
                    impl.parts.post(DeadlinePassed{grant});
                  });
                },
                deadline.get()),
            "sd_event_add_time_relative");
  deadline->source.reset(source);
  impl_->deadlines.insert_or_assign(effect.grant, std::move(deadline));
}

}  // namespace p2pd
