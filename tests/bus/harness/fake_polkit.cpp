// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/fake_polkit.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <system_error>

#include "harness/deadline.h"
#include "harness/value.h"

namespace p2pd::test {

namespace {

constexpr const char* polkit_name = "org.freedesktop.PolicyKit1";
constexpr const char* authority_path = "/org/freedesktop/PolicyKit1/Authority";
constexpr const char* authority_interface = "org.freedesktop.PolicyKit1.Authority";
// "Details" in polkit's reference of that interface.
constexpr const char* check_signature = "(sa{sv})sa{ss}us";
constexpr const char* cancel_signature = "s";

void must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

std::string in_full(const std::string& action) { return "org.p2pd1." + action; }

// polkitd knows users by the bus, too: polkitbackendauthority asks GetConnectionUnixUser.
uid_t uid_of(sd_bus* bus, const std::string& name) {
  sd_bus_creds* creds = nullptr;
  if (sd_bus_get_name_creds(bus, name.c_str(), SD_BUS_CREDS_EUID, &creds) < 0) return static_cast<uid_t>(-1);
  uid_t uid = static_cast<uid_t>(-1);
  (void)sd_bus_creds_get_euid(creds, &uid);
  sd_bus_creds_unref(creds);
  return uid;
}

}  // namespace

FakePolkit::FakePolkit(const PrivateBus& bus) : where_(bus), wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  connect();
  thread_ = std::thread([this] { run(); });
}

FakePolkit::~FakePolkit() {
  {
    const std::lock_guard lock(mutex_);
    is_leaving_ = true;
  }
  wake();
  thread_.join();
  disconnect();
}

void FakePolkit::connect() {
  bus_ = where_.connect();
  // No vtable: sd-bus would hold us to its reply signature, and we want to talk nonsense at times.
  const auto handler = [](sd_bus_message* message, void* self, sd_bus_error*) {
    return static_cast<FakePolkit*>(self)->on_message(message);
  };
  must(sd_bus_add_object(bus_, nullptr, authority_path, handler, this), "sd_bus_add_object");
  must(sd_bus_request_name(bus_, polkit_name, 0), "sd_bus_request_name");
}

void FakePolkit::disconnect() {
  for (const auto& [call, question] : open_) sd_bus_message_unref(call);
  open_.clear();
  bus_ = sd_bus_flush_close_unref(bus_);
}

void FakePolkit::wake() const { (void)::eventfd_write(wakeup_.get(), 1); }

void FakePolkit::run() {
  for (;;) {
    std::array<pollfd, 2> ready{pollfd{.fd = wakeup_.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = -1, .events = POLLIN, .revents = 0}};
    {
      const std::lock_guard lock(mutex_);
      if (is_leaving_) return;
      if (bus_ != nullptr) {
        while (sd_bus_process(bus_, nullptr) > 0) continue;
        (void)sd_bus_flush(bus_);
        ready[1].fd = sd_bus_get_fd(bus_);
      }
    }
    changed_.notify_all();
    ::poll(ready.data(), ready.size(), -1);
    eventfd_t ignored = 0;
    (void)::eventfd_read(wakeup_.get(), &ignored);
  }
}

int FakePolkit::on_message(sd_bus_message* message) {
  if (sd_bus_message_is_method_call(message, authority_interface, "CheckAuthorization") > 0 &&
      sd_bus_message_has_signature(message, check_signature) > 0)
    return on_check(message);
  if (sd_bus_message_is_method_call(message, authority_interface, "CancelCheckAuthorization") > 0 &&
      sd_bus_message_has_signature(message, cancel_signature) > 0)
    return on_cancel(message);
  return 0;
}

int FakePolkit::on_check(sd_bus_message* call) {
  Question question;
  const auto body = read_body(call);
  question.sender = body[0][1]["name"].text();
  if (body[0][0] != "system-bus-name") return sd_bus_reply_method_errno(call, EINVAL, nullptr);
  question.action = body[1].text();
  for (const auto& [key, value] : body[2].dict()) question.details.emplace(key, value.text());
  question.flags = static_cast<std::uint32_t>(body[3].number());
  question.cancellation_id = body[4].text();
  question.uid = uid_of(bus_, question.sender);
  questions_.push_back(question);
  if (hangs_) {
    open_.emplace_back(sd_bus_message_ref(call), question);
  } else {
    answer(call, question);
  }
  return 1;
}

void FakePolkit::answer(sd_bus_message* call, const Question& question) {
  if (talks_nonsense_) {
    (void)sd_bus_reply_method_return(call, "as", 2, "yes", "authorized");
    return;
  }
  const int is_authorized = allowed_.contains({question.action, question.uid}) ? 1 : 0;
  (void)sd_bus_reply_method_return(call, "(bba{ss})", is_authorized, 0, 0);
}

int FakePolkit::on_cancel(sd_bus_message* call) {
  const auto body = read_body(call);
  const auto id = body[0].text();
  cancelled_.insert(id);
  const auto found =
      std::find_if(open_.begin(), open_.end(), [&](const auto& open) { return open.second.cancellation_id == id; });
  if (found != open_.end()) {
    (void)sd_bus_reply_method_errorf(found->first, "org.freedesktop.PolicyKit1.Error.Cancelled", "cancelled");
    sd_bus_message_unref(found->first);
    open_.erase(found);
  }
  (void)sd_bus_reply_method_return(call, "");
  return 1;
}

void FakePolkit::allow(const std::string& action, uid_t uid) {
  const std::lock_guard lock(mutex_);
  allowed_.emplace(in_full(action), uid);
}

void FakePolkit::deny(const std::string& action, uid_t uid) {
  const std::lock_guard lock(mutex_);
  allowed_.erase({in_full(action), uid});
}

void FakePolkit::talk_nonsense() {
  const std::lock_guard lock(mutex_);
  talks_nonsense_ = true;
}

void FakePolkit::hang() {
  const std::lock_guard lock(mutex_);
  hangs_ = true;
}

void FakePolkit::answer_all() {
  {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
    for (const auto& [call, question] : std::exchange(open_, {})) {
      answer(call, question);
      sd_bus_message_unref(call);
    }
  }
  wake();
}

void FakePolkit::die() {
  {
    const std::lock_guard lock(mutex_);
    disconnect();
  }
  wake();
}

void FakePolkit::come_back() {
  {
    const std::lock_guard lock(mutex_);
    hangs_ = false;
    connect();
  }
  wake();
}

std::vector<FakePolkit::Question> FakePolkit::questions() const {
  const std::lock_guard lock(mutex_);
  return questions_;
}

FakePolkit::Question FakePolkit::last_question() const {
  const auto all = questions();
  if (all.empty()) throw std::out_of_range("polkit was asked nothing");
  return all.back();
}

FakePolkit::Question FakePolkit::wait_for_question(std::size_t count) const {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, patience, [&] { return questions_.size() >= count; })) throw TooLate("a question to polkit");
  return questions_[count - 1];
}

void FakePolkit::wait_for_cancel(const std::string& cancellation_id) const {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, patience, [&] { return cancelled_.contains(cancellation_id); }))
    throw TooLate("the cancellation of a question to polkit");
}

}  // namespace p2pd::test
