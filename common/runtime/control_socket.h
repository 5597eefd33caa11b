#pragma once
// A daemon's control socket: a small HTTP/1.1 server (Boost.Beast) on a Unix socket, or on a TCP address for the
// read-only admin listener, so that curl and Prometheus work. Runs on the caller's io_context; handlers run there
// too and must not block: what takes its time is answered later, what goes on is a stream. Bounded: request 64 KiB,
// kControlConnectionsMax connections, 10 s per request, kControlStreamsMax streams of kControlBacklogMax each.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/control_message.h"

namespace vipair {

inline constexpr int kControlConnectionsMax = 64;
inline constexpr std::size_t kControlRequestMax = 64 * 1024;           // bytes of a request's body
inline constexpr Duration kControlTimeout = std::chrono::seconds(10);  // for a request, and between two

inline constexpr int kControlStreamsMax = 16;  // of one server; the others find a place too

using ControlHandler = std::function<ControlResponse(const ControlRequest&)>;

class ControlServer {
 public:
  // Binds and listens. The Unix socket is made with mode 0660; a stale one is replaced, a live one is an error that
  // says that another instance runs. POST over TCP is answered 403 here.
  static Expected<std::unique_ptr<ControlServer>, std::string> listen_unix(boost::asio::io_context& io,
                                                                           const std::string& path,
                                                                           ControlHandler handler,
                                                                           Duration timeout = kControlTimeout);
  static Expected<std::unique_ptr<ControlServer>, std::string> listen_tcp(boost::asio::io_context& io,
                                                                          const IpEndpoint& endpoint,
                                                                          ControlHandler handler,
                                                                          Duration timeout = kControlTimeout);
  IpEndpoint local_endpoint() const;  // of listen_tcp(), with the port that port 0 became
  ~ControlServer();                   // closes everything, removes the Unix socket

 private:
  class Impl;
  explicit ControlServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace vipair
