#include "common/runtime/log.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

namespace vipair::log {
namespace {

// A line is one write of at most PIPE_BUF bytes: whole or not at all, and a pipe that poll() calls writable takes
// it.
constexpr std::size_t kMessageMax = 3800;  // bytes, leaving room for what stands before it
constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};
constexpr std::string_view kJournalPriorities[] = {"<7>", "<6>", "<4>", "<3>"};

// $JOURNAL_STREAM is "device:inode" of the journal's socket; it holds only while standard error still is that
// socket.
bool is_stderr_journal() {
  const char* text = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (!text || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return text == std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

std::string payload(bool is_journal, Level level, std::string_view message) {
  const auto index = static_cast<std::size_t>(level);
  std::string text;
  if (is_journal) text += kJournalPriorities[index];
  text.append(kLevelNames[index]).append(" ").append(message);
  return text;
}

// Writes to standard error without waiting for its reader: what does not fit now is lost and counted.
class StderrSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit StderrSink(bool is_journal) : is_journal_(is_journal) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (lost_ > 0) {
      const std::string text = std::to_string(lost_) + " log lines were lost: standard error was not read";
      if (!put({message.logger_name, spdlog::level::warn, payload(is_journal_, Level::warn, text)})) {
        ++lost_;
        return;
      }
      lost_ = 0;
    }
    if (!put(message)) ++lost_;
  }
  void flush_() override {}

 private:
  bool put(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    for (;;) {
      ssize_t written = ::send(STDERR_FILENO, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (written < 0 && errno == ENOTSOCK) {
        pollfd fd{STDERR_FILENO, POLLOUT, 0};
        if (::poll(&fd, 1, 0) != 1 || !(fd.revents & POLLOUT)) return false;
        written = ::write(STDERR_FILENO, line.data(), line.size());
      }
      if (written < 0 && errno == EINTR) continue;
      return written == static_cast<ssize_t>(line.size());
    }
  }

  const bool is_journal_;
  std::uint64_t lost_ = 0;
};

// The one log of the process: a program has one standard error.
struct Log {
  explicit Log(std::string_view program)
      : is_journal(is_stderr_journal()), logger(std::string(program), std::make_shared<StderrSink>(is_journal)) {
    logger.set_level(spdlog::level::trace);  // is_enabled() decides
    logger.set_error_handler([](const std::string&) {});
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(is_journal ? "%v"
                                                                     : program.empty()
                                                                         ? "%Y-%m-%dT%H:%M:%S.%eZ %v"
                                                                         : "%Y-%m-%dT%H:%M:%S.%eZ %n %v",
                                                                     spdlog::pattern_time_type::utc, "\n"));
  }
  const bool is_journal;
  spdlog::logger logger;
};

std::shared_ptr<Log>& current() {
  static auto log = std::make_shared<Log>("");
  return log;
}

std::atomic<Level> threshold{Level::info};

// What reaches the log may come from a peer or a client: no control character of it reaches a terminal, those of
// ISO 8859-1's upper half in their UTF-8 form (C2 80 … C2 9F) included.
std::string escaped(std::string_view message) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const bool is_cut = message.size() > kMessageMax;
  if (is_cut) message = message.substr(0, kMessageMax);
  std::string out;
  out.reserve(message.size());
  for (std::size_t i = 0; i < message.size(); ++i) {
    const auto byte = static_cast<unsigned char>(message[i]);
    const auto next = i + 1 < message.size() ? static_cast<unsigned char>(message[i + 1]) : 0u;
    const bool is_c1 = byte == 0xC2 && next >= 0x80 && next <= 0x9F;
    if (byte >= ' ' && byte != 0x7F && !is_c1) {
      out += message[i];
    } else if (byte == '\n') {
      out += "\\n";
    } else {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
      if (is_c1) {
        out += {'\\', 'x', kDigits[next >> 4], kDigits[next & 15]};
        ++i;
      }
    }
    if (out.size() > kMessageMax) return out.substr(0, kMessageMax) + "…";
  }
  return is_cut ? out + "…" : out;
}

}  // namespace

void init(std::string_view program, Level level) {
  // A closed standard error would become the next socket, and the log its data.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);  // takes the lowest free number: this one
  std::signal(SIGPIPE, SIG_IGN);
  current() = std::make_shared<Log>(program);
  threshold = level;
}

bool is_enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message) {
  if (!is_enabled(level)) return;
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};
  try {
    Log& log = *current();
    log.logger.log(kLevels[static_cast<std::size_t>(level)], payload(log.is_journal, level, escaped(message)));
  } catch (...) {
    // out of memory: a lost line must not take the daemon with it
  }
}

bool RateLimit::allow(TimePoint now, std::uint64_t& suppressed) {
  if (written_ == 0 || now - window_start_ >= period_) {
    window_start_ = now;
    written_ = 0;
  }
  if (written_ >= burst_) {
    ++suppressed_;
    return false;
  }
  ++written_;
  suppressed = std::exchange(suppressed_, 0);
  return true;
}

}  // namespace vipair::log
