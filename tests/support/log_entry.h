#pragma once
// A finished request for the tests of the access log.

#include "proxy/http/log_format.h"

namespace vipair::proxy::testing {

inline http::LogEntry log_entry() {
  http::LogEntry entry;
  entry.time = WallTime(std::chrono::milliseconds(784111777042));
  entry.duration = std::chrono::microseconds(1002003);
  entry.client = *IpEndpoint::parse("192.0.2.7:50000");
  entry.status = 200;
  entry.response_bytes = 1234;
  entry.method = "GET";
  entry.target = "/a?b";
  entry.host = "www.example.com";
  entry.referer = "http://x/";
  entry.user_agent = "curl/8";
  entry.upstream = "app";
  entry.upstream_address = "10.0.0.1:80";
  entry.upstream_time = std::chrono::milliseconds(1000);
  entry.attempts = 1;
  entry.request_id = "00ff";
  return entry;
}

}  // namespace vipair::proxy::testing
