// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/line_limit.h"

#include <utility>

namespace p2pd {

LineLimit::Turn LineLimit::next(const std::string& sender, Time now) {
  Turn turn;
  if (now - begin_ >= std::chrono::minutes{1}) {
    begin_ = now;
    written_.clear();
    written_in_all_ = 0;
    turn.left_out = std::exchange(left_out_, 0);
  }
  if (written_in_all_ < in_all && written_[sender] < for_each) {
    ++written_[sender];
    ++written_in_all_;
    turn.write = true;
  } else {
    ++left_out_;
  }
  return turn;
}

}  // namespace p2pd
