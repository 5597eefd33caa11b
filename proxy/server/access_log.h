#pragma once
// The access log. A worker copies what is known of a finished request into a bounded ring of its own and goes on;
// one thread formats the lines and writes them. A slow disk costs log lines, which are counted, never a request's
// time.
//
// combined: the format of that name, followed by the upstream's address and the time in seconds.
// json: one object per line. In both, whatever came from a client is escaped: a line is a line.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "proxy/config.h"

namespace vipair::proxy {

struct LogEntry {
  WallTime time{};  // of the end
  Duration duration{};
  IpEndpoint client;
  std::uint16_t status = 0;  // 499: the client went away
  std::uint8_t minor_version = 1;
  std::uint64_t request_bytes = 0;   // payload
  std::uint64_t response_bytes = 0;  // payload
  std::string_view method, target, host, referer, user_agent, upstream, request_id;
};

std::string_view format_combined(const LogEntry& entry, std::string& line);  // appends one line; returns it
std::string_view format_json(const LogEntry& entry, std::string& line);

// One writer (a worker), one reader (the log's thread); no lock.
class LogRing {
 public:
  static constexpr std::size_t kBytes = 1 << 20;  // per worker
  static constexpr std::size_t kTextMax = 2048;   // bytes kept of each text
  LogRing() : bytes_(new char[kBytes]) {}
  bool push(const LogEntry& entry);  // false: full, the entry is lost
  bool pop(LogEntry& entry);         // the texts point into the ring until the next pop()

 private:
  static constexpr std::size_t kAlign = 8;
  std::unique_ptr<char[]> bytes_;
  alignas(64) std::atomic<std::uint64_t> written_{0};
  std::uint64_t read_seen_ = 0;  // the writer's last look at read_
  alignas(64) std::atomic<std::uint64_t> read_{0};
  std::uint64_t popped_ = 0;  // what pop() has handed out
};

class AccessLogWriter {
 public:
  explicit AccessLogWriter(std::size_t workers);
  ~AccessLogWriter();  // writes what is left, ends the thread

  // Opens the file of `config`, now and in this thread, and writes there from now on. The error says what is wrong.
  Expected<void, std::string> configure(const AccessLog& config);
  void reopen();  // by the same name; keeps the old file, and says so in the log, when that fails

  bool is_enabled() const { return is_enabled_.load(std::memory_order_relaxed); }
  LogRing& ring(std::size_t worker) { return *rings_[worker]; }
  std::uint64_t lines_written() const { return written_.load(std::memory_order_relaxed); }
  std::uint64_t lines_lost_in_writing() const { return lost_.load(std::memory_order_relaxed); }

 private:
  void run();
  bool drain(std::string& lines, std::uint64_t& count);

  std::vector<std::unique_ptr<LogRing>> rings_;
  std::atomic<bool> is_enabled_{false};
  std::atomic<std::uint64_t> written_{0}, lost_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;               // under mutex_
  AccessLog config_;                // under mutex_
  std::shared_ptr<UniqueFd> file_;  // under mutex_
  std::thread thread_;
};

}  // namespace vipair::proxy
