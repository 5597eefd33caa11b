#pragma once
// What is said over a control socket: a request, and a response at once, later or without an end. Values and two
// hand-overs, of one thread; the server (control_socket.h) does the talking.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/time.h"

namespace vipair {

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

}  // namespace vipair
