#include "proxy/server/exchange.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/http/forwarding.h"

namespace vipair::proxy {

using policy::Cause;
using policy::Side;
using policy::Stage;

Cause cause_of(int error_number) {
  switch (error_number) {
    case ECONNREFUSED:
      return Cause::refused;
    case ECONNRESET:
    case EPIPE:
      return Cause::reset;
    case ETIMEDOUT:
      return Cause::timed_out;
    case EKEYREJECTED:
      return Cause::untrusted;
    case EPROTO:
      return Cause::bad_tls;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return Cause::exhausted;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM:
      return Cause::unreachable;
    default:
      return Cause::internal;
  }
}

void Exchange::begin_request(http::BodyFraming framing, std::uint64_t body_max, bool expects_continue) {
  framing_ = framing;
  expects_continue_ = expects_continue;
  body_max_ = body_max;
  const bool is_whole = framing.framing == http::Framing::none ||
                        (framing.framing == http::Framing::content_length && framing.length <= head_in.size());
  body_source_ = is_whole ? &head_in : &body_in;
  if (!is_whole) move_to_body_in();
  body_mark_ = head_in.mark();
}

// What came behind the head moves out of the way: the head stays where it is until the exchange is over.
void Exchange::move_to_body_in() {
  if (head_in.empty()) return;
  body_in.reserve(std::max(head_in.size(), BufferPool::kSmall));
  std::memcpy(body_in.room().data(), head_in.data(), head_in.size());
  body_in.produced(head_in.size());
  head_in.consume(head_in.size());
}

void Exchange::begin_sending(const Timeouts& timeouts, Duration response_head_timeout, const Limits& limits,
                             const http::HeadLimits& response_limits, TimePoint now) {
  timeouts_ = &timeouts;
  response_head_timeout_ = response_head_timeout;
  response_limits_ = response_limits;
  failure_.reset();
  phase_ = ResponsePhase::head;
  sending_has_begun_ = true;
  request_ended_ = request_was_sent_ = upstream_has_spoken_ = false;
  // A client that expects 100 (Continue) may wait for as long as the upstream takes to say so.
  awaits_continue_ = expects_continue_ && !is_replayable();
  send_error_ = 0;
  head_seen_ = 0;
  interim_responses_ = 0;
  last_interim_ = now;
  sending_rate_ = {limits.body_rate_min, timeouts.body_idle};
  taking_rate_ = {limits.response_rate_min, timeouts.write_idle};
  if (is_replayable()) head_in.rewind(body_mark_);
  upstream_in.release();
  to_upstream.clear();
  to_client.clear();
  to_upstream.add(upstream_head.view());
  request_body.start(*body_source_, framing_, framing_.framing == http::Framing::chunked, body_max_, now);
}

bool Exchange::skip_body() {
  if (request_was_received()) return true;
  if (!is_replayable()) return false;
  if (framing_.framing == http::Framing::content_length) head_in.consume(framing_.length);
  return true;
}

void Exchange::send_interim_response(TimePoint now) {
  upstream_in.consume(response.size);
  to_client.add(client_head.view());
  last_interim_ = now;
  awaits_continue_ = false;
}

void Exchange::send_response(http::BodyFraming framing, bool chunked, EncoderPool::Encoder encoder, TimePoint now) {
  upstream_in.consume(response.size);
  to_client.add(client_head.view());
  phase_ = ResponsePhase::body;
  response_body.start(upstream_in, framing, chunked, kUnlimited, now);
  if (encoder != nullptr) response_body.encode_with(std::move(encoder));
}

void Exchange::send_switch(Duration tunnel_idle, TimePoint now) {
  upstream_in.consume(response.size);
  to_client.add(client_head.view());
  payload_before_tunnel_ = request_body.payload_bytes();
  if (body_source_ == &head_in) move_to_body_in();
  body_source_ = &body_in;
  response_has_begun_ = true;
  phase_ = ResponsePhase::tunnel;
  tunnel_.start(body_in, upstream_in, tunnel_idle, now);
}

Exchange::Step Exchange::step(Stream& client, Stream& upstream, TimePoint now) {
  Step event = Step::idle;
  if (client.is_broken()) fail(Side::client, is_tunnel() ? Stage::tunnel : Stage::response_body, Cause::reset);
  if (is_tunnel() && !failure_) return step_tunnel(client, upstream, now);
  bool moved = !failure_ && pump_request(client, upstream, now);
  if (!failure_) moved |= pump_response(client, upstream, now, event);
  if (failure_) return Step::failed;
  if (event != Step::idle) return event;
  return moved ? Step::moved : Step::idle;
}

Exchange::Step Exchange::step_tunnel(Stream& client, Stream& upstream, TimePoint now) {
  switch (tunnel_.step(client, upstream, now)) {
    case Tunnel::Step::idle:
      return Step::idle;
    case Tunnel::Step::moved:
      return Step::moved;
    case Tunnel::Step::complete:
      return Step::complete;
    case Tunnel::Step::failed:
      failure_ = tunnel_.failure();
      break;
  }
  return Step::failed;
}

bool Exchange::pump_request(Stream& client, Stream& upstream, TimePoint now) {
  if (request_ended_) return false;
  const bool moved = request_body.pump(client, upstream, now);
  if (request_body.payload_bytes() > 0) awaits_continue_ = false;  // it did not wait
  switch (request_body.end()) {
    case BodyPump::End::none:
      break;
    case BodyPump::End::complete:
      request_ended_ = request_was_sent_ = true;
      break;
    case BodyPump::End::bad_framing:
      fail(Side::client, Stage::request_body, Cause::bad_message);
      break;
    case BodyPump::End::too_large:
      fail(Side::client, Stage::request_body, Cause::too_large);
      break;
    case BodyPump::End::source_closed:
      fail(Side::client, Stage::request_body, Cause::closed);
      break;
    case BodyPump::End::source_failed:
      fail(Side::client, Stage::request_body, cause_of(request_body.error_number()));
      break;
    case BodyPump::End::sink_failed:
      // It may have answered before it closed (413, 401): what it said is read first.
      request_ended_ = true;
      send_error_ = request_body.error_number();
      break;
    case BodyPump::End::encoder_failed:
      break;  // requests have none
  }
  return moved;
}

bool Exchange::pump_response(Stream& client, Stream& upstream, TimePoint now, Step& event) {
  if (phase_ == ResponsePhase::head) {
    if (to_client.empty()) return read_response_head(upstream, event);
    if (!client.can_write()) return false;
    const IoResult result = to_client.flush(client);
    if (result.status == IoResult::Status::error) {
      fail(Side::client, Stage::response_head, cause_of(result.error));
      return true;
    }
    if (result.status == IoResult::Status::would_block) return false;
    response_has_begun_ = !to_client.empty();  // behind a whole interim response any other may follow
    last_interim_ = now;
    return true;
  }
  const bool moved = response_body.pump(upstream, client, now);
  if (response_body.sent_bytes() > 0) response_has_begun_ = true;
  switch (response_body.end()) {
    case BodyPump::End::none:
      break;
    case BodyPump::End::complete:
      event = Step::complete;
      break;
    case BodyPump::End::sink_failed:
      fail(Side::client, Stage::response_body, cause_of(response_body.error_number()));
      break;
    case BodyPump::End::source_closed:
      fail(Side::upstream, Stage::response_body, Cause::closed);
      break;
    case BodyPump::End::source_failed:
      fail(Side::upstream, Stage::response_body, cause_of(response_body.error_number()));
      break;
    case BodyPump::End::bad_framing:
    case BodyPump::End::too_large:
      fail(Side::upstream, Stage::response_body, Cause::bad_message);
      break;
    case BodyPump::End::encoder_failed:
      fail(Side::proxy, Stage::response_body, Cause::exhausted);
      break;
  }
  return moved;
}

bool Exchange::read_response_head(Stream& upstream, Step& event) {
  if (upstream_in.empty() || head_seen_ == upstream_in.size()) {
    if (!upstream.can_read()) return false;
    if (upstream_in.capacity() == 0) upstream_in.reserve(BufferPool::kSmall);
    if (upstream_in.room().empty()) {
      upstream_in.reserve(upstream_in.capacity() < response_limits_.head_bytes_max
                              ? upstream_in.capacity() * 4
                              : response_limits_.head_bytes_max + BufferPool::kSmall);
    }
    const Stage stage = send_error_ != 0 ? Stage::request_body : Stage::response_head;
    const IoResult result = upstream.try_read(upstream_in.room());
    switch (result.status) {
      case IoResult::Status::would_block:
        return false;
      case IoResult::Status::eof:
        fail(Side::upstream, stage, send_error_ != 0 ? cause_of(send_error_) : Cause::closed);
        return true;
      case IoResult::Status::error:
        fail(Side::upstream, stage, cause_of(send_error_ != 0 ? send_error_ : result.error));
        return true;
      case IoResult::Status::ok:
        upstream_in.produced(result.bytes);
        upstream_has_spoken_ = true;
    }
  }
  const http::ParseResult parsed =
      http::parse_response_head(upstream_in.view(), response_limits_, response, head_seen_);
  switch (parsed.status) {
    case http::ParseStatus::incomplete:
      head_seen_ = upstream_in.size();
      return true;
    case http::ParseStatus::error:
      fail(Side::upstream, Stage::response_head, Cause::bad_message);
      return true;
    case http::ParseStatus::complete:
      break;
  }
  head_seen_ = 0;
  if (response.status >= 200) {
    event = Step::response_head;
  } else if (response.status == 101 && request_was_sent_ &&
             http::answers_upgrade(response, upstream_in.data(), upgrade)) {
    event = Step::switching_protocols;
  } else if (response.status == 101 || ++interim_responses_ > kInterimResponsesMax) {
    fail(Side::upstream, Stage::response_head,
         Cause::bad_message);  // nobody asked for this protocol, nor to wait for ever
  } else {
    event = Step::interim_response;
  }
  return true;
}

void Exchange::fail(Side side, Stage stage, Cause cause) {
  if (!failure_) failure_ = policy::ProxyError{side, stage, cause, request_bytes_were_sent()};
}

// ---- clocks ----------------------------------------------------------------------------------

bool Exchange::waits_for_body() const {
  return !request_ended_ && !awaits_continue_ && !request_body.waits_for_sink();
}

Exchange::Expiry Exchange::next_expiry() const {
  Expiry next;
  auto consider = [&next](TimePoint at, Side side, Stage stage) {
    if (at < next.at) next = {at, side, stage};
  };
  if (!request_ended_ && request_body.waits_for_sink()) {
    consider(request_body.last_write() + timeouts_->write_idle, Side::upstream, Stage::request_body);
  } else if (waits_for_body()) {
    consider(std::max(request_body.last_read(), last_interim_) + timeouts_->body_idle, Side::client,
             Stage::request_body);
  }
  if (phase_ == ResponsePhase::head) {
    if (!to_client.empty()) {
      consider(last_interim_ + timeouts_->write_idle, Side::client, Stage::response_head);
    } else if (request_ended_ || awaits_continue_) {
      consider(std::max(request_body.last_write(), last_interim_) + response_head_timeout_, Side::upstream,
               Stage::response_head);
    }
  } else if (response_body.waits_for_sink()) {
    consider(response_body.last_write() + timeouts_->write_idle, Side::client, Stage::response_body);
  } else {
    consider(std::max(response_body.last_read(), response_body.last_write()) + timeouts_->body_idle, Side::upstream,
             Stage::response_body);
  }
  return next;
}

TimePoint Exchange::Rate::judge_at(bool waits_for_client, std::uint64_t bytes_so_far, TimePoint now) {
  const bool was_judged = std::exchange(is_judged, waits_for_client && bytes_per_second_min > 0);
  if (!is_judged) return TimePoint::max();
  if (!was_judged) {
    since = now;
    bytes = bytes_so_far;
  }
  return since + window;
}

bool Exchange::Rate::is_too_slow(std::uint64_t bytes_so_far, TimePoint now) {
  if (!is_judged || now < since + window) return false;
  const auto seconds = std::chrono::duration<double>(now - since).count();
  const auto moved = static_cast<double>(bytes_so_far - bytes);
  since = now;
  bytes = bytes_so_far;
  return moved < static_cast<double>(bytes_per_second_min) * seconds;
}

TimePoint Exchange::deadline(TimePoint now) {
  if (is_tunnel()) return tunnel_.deadline();
  const bool waits_for_taker = phase_ == ResponsePhase::body && response_body.waits_for_sink();
  return std::min({next_expiry().at, sending_rate_.judge_at(waits_for_body(), request_body.payload_bytes(), now),
                   taking_rate_.judge_at(waits_for_taker, response_body.sent_bytes(), now)});
}

void Exchange::on_deadline(TimePoint now) {
  if (is_tunnel()) {
    if (!failure_) failure_ = tunnel_.overdue(now);
    return;
  }
  const Expiry expired = next_expiry();
  if (expired.at <= now) return fail(expired.side, expired.stage, Cause::timed_out);
  if (sending_rate_.is_too_slow(request_body.payload_bytes(), now)) {
    fail(Side::client, Stage::request_body, Cause::timed_out);
  }
  if (taking_rate_.is_too_slow(response_body.sent_bytes(), now)) {
    fail(Side::client, Stage::response_body, Cause::timed_out);
  }
}

void Exchange::finish() {
  if (sending_has_begun_) request_body.drop_unsent();
  if (phase_ != ResponsePhase::head) response_body.drop_unsent();
  to_client.clear();
  if (body_source_ == &body_in && request_was_received() && !is_tunnel()) {
    // The client went on behind its body: that is the next request.
    if (!body_in.empty()) {
      head_in.reserve(std::max(body_in.size(), BufferPool::kSmall));
      std::memcpy(head_in.room().data(), body_in.data(), body_in.size());
      head_in.produced(body_in.size());
    }
  }
  body_in.release();
  upstream_in.release();
  if (head_in.empty()) head_in.release();
  body_source_ = nullptr;
  failure_.reset();
  phase_ = ResponsePhase::head;
  sending_has_begun_ = response_has_begun_ = false;
  upgrade = {};
  payload_before_tunnel_ = 0;
}

}  // namespace vipair::proxy
