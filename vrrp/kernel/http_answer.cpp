#include "vrrp/kernel/http_answer.h"

#include <algorithm>

namespace vipair::vrrp {
namespace {

constexpr std::string_view kVersion = "HTTP/1.";
constexpr std::size_t kStatusLineMin = 12;  // "HTTP/1.1 200"

bool is_digit(char character) { return character >= '0' && character <= '9'; }

// Where the head ends, its empty line included; a line may end without the carriage return (RFC 9112 section 2.2).
std::size_t end_of_head(std::string_view text) {
  for (std::size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1)) {
    const std::string_view next = text.substr(at + 1);
    if (next.starts_with("\n")) return at + 2;
    if (next.starts_with("\r\n")) return at + 3;
  }
  return text.npos;
}

}  // namespace

std::string http_request(const HttpCheck& check) {
  const bool is_v6 = check.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + check.host + "]" : check.host;
  const std::string port = check.port == (check.is_tls ? 443 : 80) ? "" : ":" + std::to_string(check.port);
  return "GET " + check.target + " HTTP/1.1\r\nHost: " + host + port +
         "\r\nUser-Agent: vipair\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

Expected<std::optional<int>, std::string> http_status(std::string_view received) {
  for (;;) {
    const std::size_t known = std::min(received.size(), kVersion.size());
    if (received.substr(0, known) != kVersion.substr(0, known))
      return Unexpected{std::string("the answer is not HTTP/1")};
    const std::size_t end = end_of_head(received);
    if (end == received.npos) {
      if (received.size() >= kHttpHeadMax)
        return Unexpected{"the head of the answer is longer than " + std::to_string(kHttpHeadMax) + " bytes"};
      return std::optional<int>();
    }
    const std::string_view code =
        received.substr(0, kStatusLineMin).substr(std::min(received.size(), kVersion.size() + 2));
    const bool is_status = end > kStatusLineMin && is_digit(received[kVersion.size()]) &&
                           received[kVersion.size() + 1] == ' ' && std::ranges::all_of(code, is_digit) &&
                           code.front() != '0' && !is_digit(received[kStatusLineMin]);
    if (!is_status) return Unexpected{std::string("the answer has no status")};
    const int status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
    if (status >= 200 || status == 101) return std::optional<int>(status);
    received.remove_prefix(end);  // 1xx: the answer is still to come
  }
}

}  // namespace vipair::vrrp
