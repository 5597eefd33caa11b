#pragma once
// A daemon's control socket: a small HTTP/1.1 server (Boost.Beast) on a Unix socket, or on a TCP address for the
// read-only admin listener, so that curl and Prometheus work. Runs on the caller's io_context; handlers run there
// too and must not block. Bounded: request 64 KiB, kControlConnectionsMax connections, 10 s per request.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair {

inline constexpr int kControlConnectionsMax = 64;
inline constexpr std::size_t kControlRequestMax = 64 * 1024;           // bytes of a request's body
inline constexpr Duration kControlTimeout = std::chrono::seconds(10);  // for a request, and between two

struct ControlRequest {
  std::string method;  // "GET" (HEAD too: its body is dropped) or "POST"
  std::string path;    // without the query
  std::string query;   // without "?"
  std::string body;
  bool is_local = false;  // came over the Unix socket: may change things
};

struct ControlResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

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

// The client side, blocking, for vipairctl and tests: one request, one answer.
Expected<ControlResponse, std::string> control_request(const std::string& socket_path, const std::string& method,
                                                       const std::string& target, const std::string& body,
                                                       Duration timeout);

}  // namespace vipair
