#pragma once
// One request and its response between two streams: the buffers, the two pumps and the clocks. Plain functions that
// move what can be moved now and say what happened; the session waits when nothing moves.
//
// Both directions run at once, so that an upstream may answer before it has the whole request. An exchange is used
// for one request after the other and holds memory only while it is in use.

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/config.h"
#include "proxy/http/buffer.h"
#include "proxy/http/head_parser.h"
#include "proxy/policy/retry.h"
#include "proxy/server/body_pump.h"
#include "proxy/server/buffer_pool.h"
#include "proxy/server/counters.h"
#include "proxy/server/output.h"
#include "proxy/server/tunnel.h"

namespace vipair::proxy {

policy::Cause cause_of(int error_number);  // an errno of connect, read or write

class Exchange {
 public:
  explicit Exchange(BufferPool& pool)
      : head_in(pool),
        body_in(pool),
        upstream_in(pool),
        request_body(to_upstream),
        response_body(to_client),
        tunnel_(request_body, response_body) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // ---- the parts, filled by the session in this order --------------------------------------

  InputBuffer head_in;  // the client's: the request's slices refer to it, so nothing is read into it while it runs
  http::RequestHead request;
  http::Buffer upstream_head;  // what goes to the upstream instead of the request's head
  std::string_view upgrade;    // of the request's head: the protocol that was asked for besides HTTP, or empty
  http::ResponseHead response;
  http::Buffer client_head;  // what goes to the client instead of the response's head
  InputBuffer body_in;       // a request body that did not arrive together with its head
  InputBuffer upstream_in;
  Output to_upstream, to_client;
  BodyPump request_body, response_body;

  // The request's head is parsed and was consumed from head_in. Finds out where the body is read.
  void begin_request(http::BodyFraming framing, std::uint64_t body_max, bool expects_continue);
  // An upstream is connected and upstream_head is filled. May be called again for a second upstream while
  // is_replayable(), which a request is whose body has arrived whole.
  void begin_sending(const Timeouts& timeouts, Duration response_head_timeout, const Limits& limits,
                     const http::HeadLimits& response_limits, TimePoint now);
  // After step() said interim_response or response_head, once client_head is filled. The response's slices are void
  // afterwards.
  void send_interim_response(TimePoint now);
  void send_response(http::BodyFraming framing, bool chunked, EncoderPool::Encoder encoder, TimePoint now);
  // After switching_protocols: from here on the bytes of both sides are passed on as they come.
  void send_switch(Duration tunnel_idle, TimePoint now);

  // ---- running -----------------------------------------------------------------------------

  enum class Step : std::uint8_t {
    idle,
    moved,
    interim_response,
    response_head,
    switching_protocols,
    complete,
    failed
  };
  Step step(Stream& client, Stream& upstream, TimePoint now);

  // The next moment at which somebody will have been waited for too long, and what to do about it then.
  TimePoint deadline(TimePoint now);
  void on_deadline(TimePoint now);
  void fail(policy::Side side, policy::Stage stage, policy::Cause cause);  // the first one counts

  const std::optional<policy::ProxyError>& failure() const { return failure_; }
  bool is_replayable() const { return body_source_ == &head_in; }
  bool response_has_begun() const { return response_has_begun_; }    // the client has a part of one
  bool upstream_has_spoken() const { return upstream_has_spoken_; }  // a byte of the response came
  bool request_bytes_were_sent() const { return request_body.sent_bytes() > 0; }
  bool request_was_sent() const { return request_was_sent_; }  // all of it
  bool request_was_received() const { return sending_has_begun_ && request_body.source_is_complete(); }
  std::uint64_t request_payload() const {
    return payload_before_tunnel_ + (sending_has_begun_ ? request_body.payload_bytes() : 0);
  }
  std::uint64_t response_payload() const {
    return phase_ == ResponsePhase::head ? 0 : response_body.payload_bytes_out();
  }
  // A body goes by in large pieces, or costs much time: let others run before the next.
  bool gives_way() const {
    return request_body.has_spliced() || response_body.has_spliced() || response_body.has_encoded();
  }
  bool is_tunnel() const { return phase_ == ResponsePhase::tunnel; }
  void end_tunnel_at(TimePoint time) { tunnel_.end_at(time); }
  // For an answer of our own: passes over the request's body. False: its end is not here.
  bool skip_body();

  // Bytes of the next request go to head_in; everything else is forgotten, memory is given back unless bytes are
  // left.
  void finish();

 private:
  bool pump_request(Stream& client, Stream& upstream, TimePoint now);
  bool pump_response(Stream& client, Stream& upstream, TimePoint now, Step& event);
  bool read_response_head(Stream& upstream, Step& event);
  Step step_tunnel(Stream& client, Stream& upstream, TimePoint now);
  void move_to_body_in();

  static constexpr int kInterimResponsesMax = 32;  // 1xx before one final response

  enum class ResponsePhase : std::uint8_t { head, body, tunnel };
  struct Expiry {
    TimePoint at = TimePoint::max();
    policy::Side side{};
    policy::Stage stage{};
  };
  Expiry next_expiry() const;
  bool waits_for_body() const;

  const Timeouts* timeouts_ = nullptr;
  Duration response_head_timeout_{};
  http::HeadLimits response_limits_;
  http::BodyFraming framing_;
  InputBuffer* body_source_ = nullptr;
  InputBuffer::Mark body_mark_{};
  std::uint64_t body_max_ = 0;

  std::optional<policy::ProxyError> failure_;
  ResponsePhase phase_ = ResponsePhase::head;
  bool sending_has_begun_ = false;
  bool request_ended_ = false;  // nothing more will be sent to the upstream
  bool request_was_sent_ = false;
  bool response_has_begun_ = false;
  bool upstream_has_spoken_ = false;
  bool expects_continue_ = false;
  bool awaits_continue_ = false;  // the client sends nothing before a 100 (Continue)
  int send_error_ = 0;
  std::size_t head_seen_ = 0;  // bytes of upstream_in that held no whole head
  int interim_responses_ = 0;
  TimePoint last_interim_{};
  // How fast a client sends its body and takes the response's, over time in which nobody else was waited for.
  struct Rate {
    std::uint64_t bytes_per_second_min = 0;
    Duration window{};
    bool is_judged = false;
    TimePoint since{};
    std::uint64_t bytes = 0;  // at that moment

    TimePoint judge_at(bool waits_for_client, std::uint64_t bytes_so_far, TimePoint now);
    bool is_too_slow(std::uint64_t bytes_so_far, TimePoint now);
  };
  Rate sending_rate_, taking_rate_;
  Tunnel tunnel_;
  std::uint64_t payload_before_tunnel_ = 0;  // of the request's body
};

}  // namespace vipair::proxy
