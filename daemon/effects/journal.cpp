// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/journal.h"

#include <fmt/format.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace p2pd {

namespace {

// Whether stderr is the journal: sd_journal(3), $JOURNAL_STREAM.
bool stderr_is_the_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe): before any thread starts
  struct stat status{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

int priority_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return 2;
    case spdlog::level::err: return 3;
    case spdlog::level::warn: return 4;
    case spdlog::level::info: return 6;
    default: return 7;
  }
}

void send(const std::vector<std::string>& fields) {
  std::vector<iovec> vectors;
  vectors.reserve(fields.size());
  for (const auto& field : fields) vectors.push_back({const_cast<char*>(field.data()), field.size()});
  // A journal that does not take it has nobody to be told.
  static_cast<void>(sd_journal_sendv(vectors.data(), static_cast<int>(vectors.size())));
}

// spdlog's own systemd sink throws when the journal is away and cannot send fields.
class JournalSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    send({fmt::format("MESSAGE={}", std::string_view(message.payload.data(), message.payload.size())),
          fmt::format("PRIORITY={}", priority_of(message.level)), "SYSLOG_IDENTIFIER=p2pd"});
  }
  void flush_() override {}
};

std::string_view word_for(Journal::What what) {
  switch (what) {
    case Journal::What::granted: return "granted";
    case Journal::What::refused: return "refused";
    case Journal::What::ended: return "ended";
    case Journal::What::revoked: return "revoked";
    case Journal::What::enabled: return "enabled";
    case Journal::What::disabled: return "disabled";
    case Journal::What::offered: return "offered";
    case Journal::What::withdrawn: return "withdrawn";
    case Journal::What::reset: return "reset";
    case Journal::What::killed: return "killed";
  }
  return "";
}

std::string sentence(const Journal& entry) {
  auto text = fmt::format("{} {}", word_for(entry.what), entry.subject);
  if (!entry.initiator.empty()) text += fmt::format(", initiator {}", entry.initiator);
  if (!entry.target.empty() && entry.target != entry.subject) text += fmt::format(", target {}", entry.target);
  text += entry.uid == Caller{}.euid ? ", uid not known" : fmt::format(", uid {}", entry.uid);
  if (!entry.unit.empty()) text += fmt::format(" ({})", entry.unit);
  if (!entry.text.empty()) text += ": " + entry.text;
  return text;
}

}  // namespace

void set_up_log(bool verbose) {
  std::shared_ptr<spdlog::logger> logger;
  if (stderr_is_the_journal()) {
    logger = std::make_shared<spdlog::logger>("p2pd", std::make_shared<JournalSink>());
  } else {
    logger = std::make_shared<spdlog::logger>("p2pd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%H:%M:%S.%e %l: %v");
  }
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void write_journal(const Journal& entry) {
  if (!stderr_is_the_journal()) return spdlog::info("{}", sentence(entry));
  send({"MESSAGE=" + sentence(entry), "PRIORITY=5", "SYSLOG_IDENTIFIER=p2pd", fmt::format("P2P_EVENT={}", word_for(entry.what)),
        "P2P_GRANT=" + entry.subject, "P2P_INITIATOR=" + entry.initiator, "P2P_TARGET=" + entry.target,
        fmt::format("P2P_CLIENT_UID={}", entry.uid), fmt::format("P2P_CLIENT_PID={}", entry.pid), "P2P_CLIENT_UNIT=" + entry.unit,
        "P2P_REASON=" + entry.text});
}

}  // namespace p2pd
