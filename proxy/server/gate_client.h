#pragma once
// The proxy's side of the gate (common/base/gate_protocol.h): tells the agent every kGateHeartbeat whether this
// node serves, hears from it whether it holds the addresses. Connects again for ever; an agent that is not there is
// said once and never a reason not to serve.
//
// Runs on the main io_context. on_role is called for each change, with nothing when the connection to the agent is
// lost.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>

#include "common/base/gate_protocol.h"

namespace vipair::proxy {

class GateClient {
 public:
  static constexpr Duration kReconnect = std::chrono::milliseconds(100);

  using Report = std::function<ProxyReport()>;  // asked at every heartbeat
  using OnChange = std::function<void(bool is_connected, std::optional<NodeRole> role)>;

  GateClient(boost::asio::io_context& io, std::string path, Report report, OnChange on_change);
  GateClient(const GateClient&) = delete;
  GateClient& operator=(const GateClient&) = delete;

  void start();
  void report_now();  // what changed must not wait for the next heartbeat
  void stop();        // ends the connection: to the agent this process is gone
  bool is_connected() const { return socket_.is_open(); }
  std::optional<NodeRole> role() const { return role_; }

 private:
  void on_timer();
  bool connect();
  void send_report();
  void receive();
  void lost(const char* why);

  std::string path_;
  Report report_;
  OnChange on_change_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;
  std::optional<NodeRole> role_;
  bool said_absent_ = false;
  bool is_stopped_ = false;
};

}  // namespace vipair::proxy
