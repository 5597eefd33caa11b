#pragma once
// The bounded ring through which a worker hands what is known of a finished request to the log's thread.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "proxy/http/log_format.h"

namespace vipair::proxy {

using http::LogEntry;

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

}  // namespace vipair::proxy
