#include "proxy/server/h2_upstream.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "proxy/server/client_session.h"

namespace vipair::proxy {

using http::h2::ErrorCode;
using http::h2::Setting;

H2Upstream::H2Upstream(WorkerContext& worker, std::unique_ptr<Stream> transport, const Settings& settings)
    : H2Connection(worker, std::move(transport), Role::client, worker.current().snapshot->response_limits),
      settings_(settings),
      idle_since_(worker.scheduler.now()) {
  streams_max_ = kStreamsMax;
  const std::array values{
      http::h2::SettingValue{Setting::enable_push, 0},
      http::h2::SettingValue{Setting::max_header_list_size,
                             static_cast<std::uint32_t>(worker.current().snapshot->config.limits.response_head)},
  };
  H2Connection::start(values.data(), values.size());
  task_ = run();
  task_.start({});
}

std::unique_ptr<Stream> H2Upstream::open() {
  const std::size_t streams_max = std::min(streams_max_, kStreamsMax);
  if (is_finished() || is_over() || is_leaving_ || has_failed() || input_ended()) return nullptr;
  if (attached() >= streams_max || next_id_ > http::h2::kStreamIdMost - 2 * kStreamsMax) return nullptr;
  H2Connection& connection = *this;
  auto stream = std::make_unique<H2Stream>(connection);
  stream->begin(0, 0);
  if (is_established_) stream->may_use_connection();
  return stream;
}

Task H2Upstream::run() {
  int steps = 0;
  while (!is_over() && !has_nothing_left()) {
    if (check_established() && step()) {
      if (++steps % kStepsPerTurnMax == 0) co_await waiter_.yield();
      continue;
    }
    if (is_over() || has_nothing_left()) break;
    const bool is_late = co_await waiter_.activity(deadline());
    if (is_late) on_deadline();
  }
  detach_all(ECONNRESET);
}

bool H2Upstream::check_established() {
  if (is_established_) {
    if (was_busy_ && attached() == 0) idle_since_ = now();
    was_busy_ = attached() > 0;
    return true;
  }
  if (transport_->is_broken()) {
    const int error = transport_->connect_result();
    detach_all(error != 0 ? error : ECONNRESET);
    is_over_ = true;
  } else if (transport_->can_write()) {
    is_established_ = true;
    for_each_attached([](H2Stream& stream) { stream.may_use_connection(); });
  }
  return is_established_;
}

bool H2Upstream::may_send_head(H2Stream& stream) {
  if (stream.id() != 0) return true;
  if (is_leaving_ || has_failed() || input_ended()) {
    stream.receive_reset(ECONNREFUSED);
    return false;
  }
  if (open_streams() >= streams_max_ || !H2Connection::may_send_head(stream)) return false;
  open_own(stream, next_id_);
  next_id_ += 2;
  return true;
}

void H2Upstream::on_settings_applied() { resume_blocked(); }

void H2Upstream::on_goaway(std::uint32_t last_stream) {
  is_leaving_ = true;
  for_each_attached([&](H2Stream& stream) {
    if (!stream.is_open() || (stream.id() != 0 && stream.id() <= last_stream)) return;
    close_stream(stream);
    stream.receive_reset(ECONNREFUSED);
  });
  wake();
}

TimePoint H2Upstream::deadline() const {
  TimePoint next = TimePoint::max();
  if (!is_established_) return next;  // those who wait have a limit of their own
  if (stalled_since_) next = *stalled_since_ + worker_.current().snapshot->config.timeouts.write_idle;
  if (attached() == 0) next = std::min(next, idle_since_ + settings_.idle_timeout);
  return next;
}

void H2Upstream::on_deadline() {
  const Duration write_idle = worker_.current().snapshot->config.timeouts.write_idle;
  if (stalled_since_ && now() >= *stalled_since_ + write_idle) {
    worker_.counters.h2.stalled.add();
    is_over_ = true;
  } else if (attached() == 0 && now() >= idle_since_ + settings_.idle_timeout && !is_leaving_) {
    is_leaving_ = true;
    send_goaway(0, ErrorCode::no_error);
    (void)flush();
  }
}

void H2Upstream::retire() {
  is_leaving_ = true;
  wake();
}

// ---- all connections to a server -----------------------------------------------------------

std::unique_ptr<Stream> H2Upstreams::open(WorkerContext& worker, const H2Upstream::Settings& settings,
                                          const Connect& connect, int& error, bool& is_reused) {
  for (const auto& connection : connections_) {
    is_reused = connection->has_served();
    if (auto stream = connection->open()) return stream;
  }
  sweep();
  is_reused = false;
  std::unique_ptr<Stream> transport = connect(error);
  if (transport == nullptr) return nullptr;
  connections_.push_back(std::make_unique<H2Upstream>(worker, std::move(transport), settings));
  auto stream = connections_.back()->open();
  if (stream == nullptr && error == 0) error = ECONNREFUSED;  // it had ended before it began
  return stream;
}

void H2Upstreams::retire() {
  for (const auto& connection : connections_) connection->retire();
}

void H2Upstreams::sweep() {
  std::erase_if(connections_, [](const auto& connection) { return connection->is_finished(); });
}

}  // namespace vipair::proxy
