#pragma once
// The access log. A worker copies what is known of a finished request into a bounded ring of its own and goes on;
// one thread formats the lines and writes them. A slow disk costs log lines, which are counted, never a request's
// time.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/expected.h"
#include "proxy/config_log.h"
#include "proxy/http/log_format.h"
#include "proxy/server/log_ring.h"
#include "proxy/server/log_target.h"

namespace vipair::proxy {

class AccessLogWriter {
 public:
  explicit AccessLogWriter(std::size_t workers);
  ~AccessLogWriter();  // writes what is left, ends the thread

  // Opens what `config` names, now and in this thread, and writes there from now on. The error says what is wrong.
  Expected<void, std::string> configure(const AccessLog& config);
  void reopen();  // by the same name; keeps the old one, and says so in the log, when that fails

  bool is_enabled() const { return is_enabled_.load(std::memory_order_relaxed); }
  std::uint32_t one_in() const { return one_in_.load(std::memory_order_relaxed); }
  LogRing& ring(std::size_t worker) { return *rings_[worker]; }
  std::uint64_t lines_written() const { return written_.load(std::memory_order_relaxed); }
  std::uint64_t lines_lost_in_writing() const { return lost_.load(std::memory_order_relaxed); }

 private:
  void run();
  struct Output {
    http::LogFormat format;
    LogTarget target;
  };
  bool drain(std::string& lines);

  std::vector<std::unique_ptr<LogRing>> rings_;
  std::atomic<bool> is_enabled_{false};
  std::atomic<std::uint32_t> one_in_{1};
  std::atomic<std::uint64_t> written_{0}, lost_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;                     // under mutex_
  AccessLog config_;                      // under mutex_
  std::shared_ptr<const Output> output_;  // under mutex_; nullptr: off
  std::thread thread_;
};

}  // namespace vipair::proxy
