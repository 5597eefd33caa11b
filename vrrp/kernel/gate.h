#pragma once
// The agent's end of the gate (common/base/gate_protocol.h): a Unix socket on which the proxy reports whether it
// serves. The newest connection counts and replaces the one before. End of file is death, silence for
// kGateHangTimeout is a hang. What a local process may send is bounded: kMessagesPerDrain messages of
// kGateMessageMax bytes per turn; a message that is none ends the connection. Time is passed in. One owner, one
// thread.

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/expected.h"
#include "common/base/gate_protocol.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"

namespace vipair::vrrp {

class Gate {
 public:
  static constexpr int kMessagesPerDrain = 32;
  static constexpr int kConnectsPerDrain = 16;
  // It wants to look every kGateHeartbeat; a look later than this was held up itself.
  static constexpr Duration kLateLook = 2 * kGateHeartbeat;

  struct Counters {
    std::uint64_t connects = 0;
    std::uint64_t disconnects = 0;
    std::uint64_t hangs = 0;
    std::uint64_t invalid_messages = 0;
  };

  // Makes the socket with mode 0660. A stale one is replaced; a live one is an error.
  static Expected<std::unique_ptr<Gate>, std::string> listen(const std::string& path);
  ~Gate();  // removes the socket, if it is still ours
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  int poll_fd() const { return epoll_.get(); }
  void drain(TimePoint now);    // reads what is there, accepts who waits
  void on_time(TimePoint now);  // after drain(): judges silence
  std::optional<TimePoint> next_deadline() const;

  // nullopt: no proxy is connected, or it has not said anything yet.
  const std::optional<ProxyReport>& report() const { return report_; }
  void set_role(NodeRole role);  // told to the proxy on connect and on each change
  const Counters& counters() const { return counters_; }

 private:
  Gate(std::string path, dev_t device, ino_t inode, UniqueFd epoll, UniqueFd listener)
      : path_(std::move(path)),
        device_(device),
        inode_(inode),
        epoll_(std::move(epoll)),
        listener_(std::move(listener)) {}
  void accept_newest(TimePoint now);
  void read(TimePoint now);
  void tell_role();
  void disconnect();

  std::string path_;
  dev_t device_;
  ino_t inode_;
  UniqueFd epoll_;
  UniqueFd listener_;
  UniqueFd proxy_;
  NodeRole role_ = NodeRole::standby;
  std::optional<ProxyReport> report_;
  TimePoint heard_at_;
  TimePoint looked_at_;
  bool is_hung_ = false;
  Counters counters_;
};

}  // namespace vipair::vrrp
