#pragma once
// What is known of a finished request, and how it is written as a line of the access log: the combined format,
// JSON, or a template of the operator's. Whatever came from a client is escaped: a line is a line, and no field
// ends before it should.
//
// combined: the format of that name, followed by the server's address and the time in seconds.
// json: one object per line.
// A template is text with ${variables}, "$$" for a dollar sign; an empty value is written as "-".

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair::http {

enum class LogProtocol : std::uint8_t { http_1_0, http_1_1, http_2, tcp };
const char* to_string(LogProtocol protocol);  // "HTTP/1.1", "TCP"

struct LogEntry {
  WallTime time{};           // of the end
  Duration duration{};       // since the request's first byte
  Duration upstream_time{};  // from the request's being sent to the response's head; 0: there was none
  IpEndpoint client;         // port 0: not known, a proxy before us has told the address alone
  LogProtocol protocol = LogProtocol::http_1_1;
  std::uint16_t status = 0;          // 499: the client went away; of a tcp connection: what HTTP would say
  std::uint8_t attempts = 0;         // servers tried
  std::uint64_t request_bytes = 0;   // payload
  std::uint64_t response_bytes = 0;  // payload
  std::string_view method, target, host, referer, user_agent, upstream, upstream_address, request_id,
      tls;  // target of a tcp connection: its listener's name
};

inline constexpr std::size_t kLogTemplateMax = 4096;  // bytes

class LogFormat {
 public:
  static LogFormat combined() { return LogFormat(Kind::combined); }
  static LogFormat json() { return LogFormat(Kind::json); }
  // The error is one line for the operator: what is wrong and what would be right.
  static Expected<LogFormat, std::string> from_template(std::string_view text);

  void append(const LogEntry& entry, std::string& line) const;  // one line, line end included

 private:
  enum class Kind : std::uint8_t { combined, json, custom };
  struct Part {
    std::string text;           // copied first
    std::uint8_t variable = 0;  // then this one's value; 0: none
  };
  explicit LogFormat(Kind kind) : kind_(kind) {}

  Kind kind_;
  std::vector<Part> parts_;
};

}  // namespace vipair::http
