#pragma once
// A daemon's control socket: a small HTTP/1.1 server (Boost.Beast) on a Unix socket, or on a TCP address for the
// read-only admin listener, so that curl and Prometheus work. Runs on the caller's io_context; handlers run there
// too and must not block: what takes its time is answered later, what goes on is a stream. Bounded: request 64 KiB,
// kControlConnectionsMax connections, 10 s per request, kControlStreamsMax streams of kControlBacklogMax each.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair {

inline constexpr int kControlConnectionsMax = 64;
inline constexpr std::size_t kControlRequestMax = 64 * 1024;           // bytes of a request's body
inline constexpr Duration kControlTimeout = std::chrono::seconds(10);  // for a request, and between two

inline constexpr int kControlStreamsMax = 16;                  // of one server; the others find a place too
inline constexpr std::size_t kControlBacklogMax = 256 * 1024;  // bytes that a stream's reader may be behind

struct ControlRequest {
  std::string method;  // "GET" (HEAD too: its body is dropped) or "POST"
  std::string path;    // without the query
  std::string query;   // without "?"
  std::string body;
  bool is_local = false;  // came over the Unix socket: may change things
};

class ControlLater;
class ControlStream;

struct ControlResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::shared_ptr<ControlLater> later = nullptr;    // the whole response comes from there
  std::shared_ptr<ControlStream> stream = nullptr;  // the body comes from there, after `body`
};

// A response that takes its time: made by the handler, kept by whoever will know the answer. Nobody has to give
// one; the client is told 504 when the limit is over.
class ControlLater {
 public:
  explicit ControlLater(Duration limit) : limit_(limit) {}
  void answer(ControlResponse response);  // the first one counts; plain, neither later nor stream

  // The server's side.
  Duration limit() const { return limit_; }
  std::unique_ptr<ControlResponse> take() { return std::move(response_); }  // null: not yet
  void on_change(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  Duration limit_;
  std::unique_ptr<ControlResponse> response_;
  bool is_answered_ = false;
  std::function<void()> wake_;
};

// A response without an end: made by the handler, written by whoever has something to tell. Never blocks the
// writer: a reader that is kControlBacklogMax behind is cut; what it was sent so far and the farewell are the last
// that it gets.
class ControlStream {
 public:
  explicit ControlStream(std::string farewell = "") : farewell_(std::move(farewell)) {}
  void write(std::string_view text);  // in vain once it has ended
  void end();
  bool has_ended() const { return has_ended_; }  // by either side

  // The server's side.
  std::string take() { return std::exchange(backlog_, {}); }
  bool was_cut() const { return was_cut_; }
  void on_change(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  std::string farewell_;
  std::string backlog_;
  bool has_ended_ = false;
  bool was_cut_ = false;
  std::function<void()> wake_;
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

// Follows a stream: `take` gets each piece as it comes until it returns false (then the result is the response
// without its body) or the daemon ends the stream (an error, since no stream has an end of its own). The timeout
// is for the beginning; between two pieces there may be any time. A status other than 200 comes back whole.
Expected<ControlResponse, std::string> control_follow(const std::string& socket_path, const std::string& target,
                                                      Duration timeout,
                                                      const std::function<bool(std::string_view)>& take);

}  // namespace vipair
