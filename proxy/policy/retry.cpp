#include "proxy/policy/retry.h"

namespace vipair::policy {

bool may_retry(const ProxyError& error, const Attempt& attempt, const RetrySettings& settings) {
  if (error.side != Side::upstream || attempt.response_started || !attempt.can_replay_body) return false;
  if (error.stage == Stage::pick) return false;  // there is nobody else
  const bool broke_off = error.cause == Cause::closed || error.cause == Cause::reset;
  // A new connection to the same server is no new try.
  const bool is_next_try = !(attempt.is_reused_connection && broke_off);
  if (attempt.number + (is_next_try ? 1 : 0) > settings.attempts) return false;
  // HTTP/2 refuses single requests, and says so before it acts on them (RFC 9113 section 8.7).
  if (!error.request_sent || error.cause == Cause::refused) return true;
  return broke_off && (attempt.is_reused_connection || settings.idempotent) && http::is_idempotent(attempt.method);
}

std::optional<int> status_for(const ProxyError& error, bool response_started) {
  if (response_started) return {};
  switch (error.side) {
    case Side::client:
      if (error.cause == Cause::timed_out) return 408;
      if (error.cause == Cause::too_large) return 413;
      if (error.cause == Cause::bad_message) return 400;
      return {};
    case Side::upstream:
      if (error.cause == Cause::timed_out) return 504;
      if (error.stage == Stage::pick) return 503;
      return 502;
    case Side::proxy:
      return error.cause == Cause::no_server || error.cause == Cause::exhausted ? 503 : 500;
  }
  return 500;
}

const char* to_string(Side side) {
  switch (side) {
    case Side::client:
      return "client";
    case Side::upstream:
      return "upstream";
    case Side::proxy:
      return "proxy";
  }
  return "unknown";
}

const char* to_string(Stage stage) {
  switch (stage) {
    case Stage::pick:
      return "pick";
    case Stage::connect:
      return "connect";
    case Stage::request_head:
      return "request_head";
    case Stage::request_body:
      return "request_body";
    case Stage::response_head:
      return "response_head";
    case Stage::response_body:
      return "response_body";
    case Stage::tunnel:
      return "tunnel";
  }
  return "unknown";
}

const char* to_string(Cause cause) {
  switch (cause) {
    case Cause::refused:
      return "refused";
    case Cause::unreachable:
      return "unreachable";
    case Cause::timed_out:
      return "timed_out";
    case Cause::closed:
      return "closed";
    case Cause::reset:
      return "reset";
    case Cause::bad_message:
      return "bad_message";
    case Cause::too_large:
      return "too_large";
    case Cause::no_server:
      return "no_server";
    case Cause::queue_full:
      return "queue_full";
    case Cause::queue_timed_out:
      return "queue_timed_out";
    case Cause::untrusted:
      return "untrusted";
    case Cause::bad_tls:
      return "bad_tls";
    case Cause::exhausted:
      return "exhausted";
    case Cause::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace vipair::policy
