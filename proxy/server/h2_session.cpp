#include "proxy/server/h2_session.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "proxy/server/client_session.h"

namespace vipair::proxy {

namespace {
constexpr std::size_t kIdleSessionsMax = 8;
}

using http::h2::ErrorCode;
using http::h2::Setting;

H2Session::H2Session(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info,
                     std::string_view already_read)
    : H2Connection(worker, std::move(client), Role::server, worker.current().snapshot->request_limits),
      info_(std::move(info)),
      idle_since_(worker.scheduler.now()) {
  info_.http_version = 2;
  ++worker_.session_count;
  worker_.counters.connections.add();
  const Limits& limits = worker_.current().snapshot->config.limits;
  streams_max_ = static_cast<std::uint32_t>(limits.http2_streams);
  const std::array settings{
      http::h2::SettingValue{Setting::max_concurrent_streams, streams_max_},
      http::h2::SettingValue{Setting::max_header_list_size, static_cast<std::uint32_t>(limits.request_head)},
      http::h2::SettingValue{Setting::no_rfc7540_priorities, 1},
      http::h2::SettingValue{Setting::enable_connect_protocol, 1},  // RFC 8441
  };
  H2Connection::start(settings.data(), settings.size());
  take_already_read(already_read);
}

H2Session::~H2Session() {
  --worker_.session_count;
  worker_.counters.connections.subtract();
}

void H2Session::start() {
  task_ = run();
  task_.start({&H2Session::on_done, this});
}

void H2Session::on_done(void* session) {
  auto* self = static_cast<H2Session*>(session);
  self->detach_all(ECONNRESET);
  self->worker_.finish(*self, self->task_, "HTTP/2 session");
}

Task H2Session::run() {
  int steps = 0;
  process_all();  // what had been read before
  while (!is_over()) {
    announce_end();
    if (step()) {
      if (++steps % kStepsPerTurnMax == 0) co_await waiter_.yield();
      continue;
    }
    if (is_over() || has_nothing_left()) break;
    const bool is_late = co_await waiter_.activity(deadline());
    if (is_late) on_deadline();
  }
  if (is_over()) co_return;
  // Closing with unread input would reset the connection, and the client might never read why.
  transport_->shutdown_write();
  const TimePoint linger_until = now() + kLingerMax;
  std::size_t discarded = 0;
  while (discard_input(discarded)) {
    const bool is_late = co_await waiter_.activity(linger_until);
    if (is_late) co_return;
  }
}

// ---- streams -------------------------------------------------------------------------------

H2Stream* H2Session::accept_stream() {
  while (H2Stream* stream = free_.pop_back()) {
    if (stream->is_in_use()) return stream;  // else its session has just left
  }
  H2Connection& connection = *this;
  auto stream = std::make_unique<H2Stream>(connection);
  H2Stream* const created = stream.get();
  auto session = std::make_unique<ClientSession>(worker_, std::move(stream), info_);
  worker_.sessions.push_back(*session);
  session.release()->start();  // owned by the list from now on
  return created;
}

void H2Session::on_free(H2Stream& stream) {
  stream.begin(0, 0);
  --busy_;
  free_.push_back(stream);
}

// ---- the end -------------------------------------------------------------------------------

void H2Session::announce_end() {
  if (busy_ > 0) {
    was_busy_ = has_served_ = true;
  } else if (was_busy_) {
    was_busy_ = false;
    idle_since_ = now();
    // An idle connection keeps a few sessions only.
    for (std::size_t kept = attached() - busy_; kept > kIdleSessionsMax; --kept) {
      if (H2Stream* stream = free_.pop_front()) stream->receive_reset(ECONNRESET);
    }
  }
  if (has_failed() || is_final_) return;
  if ((worker_.announces_close || worker_.is_draining) && !announced_at_) {
    announced_at_ = now();
    send_goaway(http::h2::kStreamIdMost, ErrorCode::no_error);
  }
  if (worker_.is_draining && now() >= std::max(*announced_at_, worker_.draining_since) + kDrainIdle) finish_up();
}

void H2Session::finish_up() {
  if (is_final_ || has_failed()) return;
  is_final_ = true;
  send_goaway(highest_, ErrorCode::no_error);
}

bool H2Session::has_nothing_left() const {
  if (is_writing()) return false;
  return has_failed() || (busy_ == 0 && (is_final_ || input_ended()));
}

TimePoint H2Session::deadline() const {
  TimePoint next = TimePoint::max();
  if (stalled_since_) next = std::min(next, *stalled_since_ + timeouts().write_idle);
  if (is_in_block()) next = std::min(next, block_since_ + timeouts().request_head);
  if (is_final_ || has_failed()) return next;
  if (busy_ == 0) {
    next = std::min(next, idle_since_ + (has_served_ ? timeouts().keep_alive : timeouts().request_head));
  }
  if (worker_.is_draining && announced_at_) {
    next = std::min(next, std::max(*announced_at_, worker_.draining_since) + kDrainIdle);
  }
  return next;
}

void H2Session::on_deadline() {
  if (stalled_since_ && now() >= *stalled_since_ + timeouts().write_idle) {
    worker_.counters.h2.stalled.add();
    is_over_ = true;  // it takes nothing: there is no telling it
    return;
  }
  if (is_in_block() && now() >= block_since_ + timeouts().request_head) return fail(ErrorCode::enhance_your_calm);
  if (busy_ == 0 && now() >= idle_since_ + (has_served_ ? timeouts().keep_alive : timeouts().request_head)) {
    finish_up();
  }
}

bool H2Session::discard_input(std::size_t& discarded) {
  std::array<char, 4096> nowhere;
  while (transport_->can_read()) {
    const IoResult result = transport_->try_read(nowhere);
    if (result.status == IoResult::Status::would_block) return true;
    if (result.status != IoResult::Status::ok) return false;
    discarded += result.bytes;
    if (discarded > kLingerBytesMax) return false;
  }
  return !transport_->is_broken();
}

}  // namespace vipair::proxy
