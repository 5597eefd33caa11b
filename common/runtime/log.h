#pragma once
// The daemons' log: lines of `level message key=value…` on standard error, journald-friendly (with the <3>…<7>
// priority prefix when standard error is the journal, a UTC time stamp otherwise). Included only where effects
// live; spdlog's own headers stay in log.cpp. Thread-safe, never throws, never waits for the reader of standard
// error: lines that do not fit are lost, and the next one that does is preceded by their number. A line is cut at
// 3800 bytes.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace vipair::log {

enum class Level { debug, info, warn, error };

// Once, first thing in main: makes sure that descriptors 0 to 2 are open, and ignores SIGPIPE.
void init(std::string_view program, Level level);
bool is_enabled(Level level);
void write(Level level, std::string_view message);  // control characters in the message are escaped

inline void debug(std::string_view message) {
  if (is_enabled(Level::debug)) write(Level::debug, message);
}
inline void info(std::string_view message) { write(Level::info, message); }
inline void warn(std::string_view message) { write(Level::warn, message); }
inline void error(std::string_view message) { write(Level::error, message); }

// For what a peer or a client can trigger: at most `burst` lines per `period`, then one line that counts the rest.
class RateLimit {
 public:
  RateLimit(int burst, Duration period) : burst_(burst), period_(period) {}
  // True when a line may be written now. `suppressed` receives the number of lines swallowed since the last one.
  bool allow(TimePoint now, std::uint64_t& suppressed);

 private:
  int burst_;
  Duration period_;
  TimePoint window_start_{};
  int written_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace vipair::log
