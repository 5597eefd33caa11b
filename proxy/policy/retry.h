#pragma once
// What can go wrong with an exchange, whether the request may be sent once more, and what the client is told.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "proxy/http/message.h"

namespace vipair::policy {

enum class Side : std::uint8_t { client, upstream, proxy };
enum class Stage : std::uint8_t { pick, connect, request_head, request_body, response_head, response_body, tunnel };
enum class Cause : std::uint8_t {
  refused,
  unreachable,
  timed_out,
  closed,
  reset,
  bad_message,
  too_large,
  no_server,
  queue_full,
  queue_timed_out,
  untrusted,  // its certificate is not the one that was expected
  bad_tls,    // the TLS handshake failed for another reason
  exhausted,  // we are out of descriptors or memory
  internal
};

struct ProxyError {
  Side side = Side::proxy;
  Stage stage = Stage::connect;
  Cause cause = Cause::internal;
  bool request_sent = false;  // a byte of the request may have reached the upstream
};
const char* to_string(Side side);    // "upstream"
const char* to_string(Stage stage);  // "response_head"
const char* to_string(Cause cause);  // "timed_out"

struct Attempt {
  int number = 1;                     // of servers tried; a new connection in place of a reused one is no new try
  bool is_reused_connection = false;  // it had served another request before this one
  bool response_started = false;      // a byte of the response arrived, interim ones included
  http::Method method = http::Method::get;
  bool can_replay_body = true;  // there is none, or no byte of it has been given away
};

// retries = { … } of an upstream.
struct RetrySettings {
  int attempts = 2;         // of servers tried for one request, the first one included
  unsigned budget = 20;     // percent: so many retries per hundred requests, beyond RetryBudget::kBurst
  bool idempotent = false;  // also when a new connection broke off after an idempotent request was sent
  friend bool operator==(const RetrySettings&, const RetrySettings&) = default;
};

// RFC 9110 section 9.2.2 and RFC 9112 section 9.3.1: once more, on another connection, if either the request never
// left, or an idle connection that the upstream closed meanwhile took it and doing it twice does no harm. The
// operator may extend the latter to new connections.
bool may_retry(const ProxyError& error, const Attempt& attempt, const RetrySettings& settings = {});

// Retries in proportion to requests, so that servers that fail under load are not loaded further. A new connection
// in place of a reused one costs nothing. One per worker and upstream.
class RetryBudget {
 public:
  static constexpr unsigned kBurst = 100;  // retries that are always there after a while without

  void earn(const RetrySettings& settings) { hundredths_ = std::min(hundredths_ + settings.budget, kBurst * 100); }
  bool spend() {
    if (hundredths_ < 100) return false;
    hundredths_ -= 100;
    return true;
  }

 private:
  unsigned hundredths_ = kBurst * 100;
};

// The status of the page for the client; none when there is nobody left to tell, or nothing but the end of the
// connection can tell it (the client's own side; a response that has begun).
std::optional<int> status_for(const ProxyError& error, bool response_started);

}  // namespace vipair::policy
