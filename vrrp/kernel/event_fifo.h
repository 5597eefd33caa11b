#pragma once
// Lines for whoever reads a named pipe. Never waits for the reader: what it does not take is dropped and counted, a
// line is written whole or not at all.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/expected.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {

class EventFifo {
 public:
  static constexpr int kPipeSize = 1 << 20;  // bytes that may wait for the reader, where the kernel permits

  explicit EventFifo(boost::asio::io_context& io) : io_(io) {}

  // Makes the pipe with mode 0660 if there is nothing of that name. The error says why events are lost: it is no
  // pipe, or cannot be made. Empty: none.
  Expected<void, std::string> use(const std::string& path);
  void write(std::string_view line);  // without its newline

  std::uint64_t dropped() const { return dropped_; }

 private:
  bool open();
  bool flush();

  boost::asio::io_context& io_;
  std::string path_;
  WatchedFd pipe_;    // while somebody reads
  std::string rest_;  // of a line that the pipe took only the beginning of
  std::uint64_t dropped_ = 0;
};

}  // namespace vipair::vrrp
