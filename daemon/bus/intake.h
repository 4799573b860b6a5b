// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The way of a request that changes something: syntax, who asks, may they, then the arbiter; and its answer back.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arbiter/command.h"
#include "arbiter/effect.h"
#include "bus/authority.h"
#include "bus/authority_table.h"
#include "bus/caller.h"
#include "bus/line_limit.h"
#include "bus/pending.h"
#include "bus/service.h"

namespace p2pd {

// What a handler makes of a message once its syntax is right.
struct Ask {
  // For the arbiter, or done here and answered at once.
  using Here = std::function<Outcome<void>()>;
  std::variant<Here, Command> what;
  Details details;
  // In addition to the method's own.
  std::vector<Action> actions;
  // Adds details and actions: runs when the user has a place in the queue, before polkit is asked.
  std::function<void(Ask&)> describe;
  // An Acquire: the process that asks is noted beside it.
  bool takes_process = false;
  // What costs more than looking at the message: runs after authority was given, before the arbiter gets the command.
  std::function<Outcome<void>(Command&)> complete;
};

class Intake {
 public:
  // Both must live longer.
  Intake(Calls& calls, const Core& core) : calls_(calls), authority_(calls), core_(core) {}
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;
  ~Intake() = default;

  // Takes the message that is being dispatched now. It is answered once, whatever happens; nothing is thrown.
  using Parse = std::function<Outcome<Ask>(sd_bus_message*)>;
  void take(const char* interface, const Parse& parse) noexcept;

  // The arbiter's answer.
  void answer(const Reply& reply);

  [[nodiscard]] unsigned in_flight() const { return static_cast<unsigned>(errands_.size()); }
  // Whether a request of this connection is not answered yet.
  [[nodiscard]] bool is_waiting(std::string_view sender) const;
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  // One of the requests that a uid may have in flight; given back by destruction.
  using Places = std::map<uid_t, unsigned>;
  class Place {
   public:
    Place(Places& places, uid_t uid) : places_(places), uid_(uid) { ++places_[uid_]; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (const auto found = places_.find(uid_); --found->second == 0) places_.erase(found);
    }

   private:
    Places& places_;
    uid_t uid_;
  };

  // One request on its way. Callbacks know it by number only: it may be gone when they run.
  struct Errand {
    Pending reply;
    std::string subject;  // "Acquire", "Release holding/7", "Bind 0000:03:00.0"
    const Row* row = nullptr;
    Ask ask;
    Caller caller;
    std::unique_ptr<Place> place;  // empty until the uid is known
  };
  void start(Pending& reply, const char* interface, const Parse& parse);
  // A step that throws must not leave the errand, and its place, behind for ever.
  void go_on(RequestId id, const std::function<void()>& step);
  void on_caller(RequestId id, Outcome<Caller> caller);
  void on_authority(RequestId id, const std::vector<Action>& asked, Outcome<void> outcome);
  void submit(RequestId id);
  void give_to_arbiter(RequestId id);
  void refuse(RequestId id, const Reason& reason);
  // Before anything is known of the request but its sender.
  void refuse_message(Pending& reply, const char* interface, const Reason& reason);
  void write_line(const Errand& errand, const Reason& reason);
  void write_line(const std::string& sender, const Journal& line);
  [[nodiscard]] std::unique_ptr<Place> take_place(uid_t uid);

  Calls& calls_;
  Authority authority_;
  const Core& core_;
  std::uint64_t next_id_ = 1;
  Places places_;
  std::map<RequestId, Errand> errands_;  // after places_: errands give their places back when they go
  std::uint64_t total_ = 0;
  std::uint64_t refused_ = 0;
  LineLimit lines_;
};

}  // namespace p2pd
