// A request's parts, from anybody, in a line of the access log: it is one line, nothing ends before it should, and
// JSON is JSON. Parts are separated by bytes 0xff: the operator's template, method, target, host, referer, user
// agent, request id, TLS version.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/http/log_format.h"
#include "tests/support/log_entry.h"

using namespace vipair;
using namespace vipair::http;

namespace {

void check_printable(std::string_view line) {
  VIPAIR_ASSERT(!line.empty() && line.back() == '\n', "a line has an end");
  line.remove_suffix(1);
  for (char c : line) VIPAIR_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "and only one");
}

// {"name":value,…} of strings, numbers and null.
void check_json(std::string_view line) {
  VIPAIR_ASSERT(line.front() == '{' && line.substr(line.size() - 2) == "}\n", "an object");
  line = line.substr(1, line.size() - 3);
  bool in_string = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (in_string && line[i] == '\\') {
      ++i;
      VIPAIR_ASSERT(i < line.size() && std::string_view("\"\\u").find(line[i]) != std::string_view::npos,
                    "an escape");
      continue;
    }
    if (line[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      VIPAIR_ASSERT(std::string_view("0123456789.,:-nul").find(line[i]) != std::string_view::npos,
                    "between strings");
    }
  }
  VIPAIR_ASSERT(!in_string, "strings end");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 8> parts;
  std::string_view rest = input;
  for (std::string& part : parts) {
    const std::size_t end = std::min(rest.find('\xff'), rest.size());
    part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  LogEntry entry = proxy::testing::log_entry();
  entry.method = parts[1];
  entry.target = parts[2];
  entry.host = parts[3];
  entry.referer = parts[4];
  entry.user_agent = parts[5];
  entry.request_id = parts[6];
  entry.tls = parts[7];

  std::string combined, json, custom;
  LogFormat::combined().append(entry, combined);
  check_printable(combined);
  VIPAIR_ASSERT(std::count(combined.begin(), combined.end(), '"') == 6, "three quoted parts");
  LogFormat::json().append(entry, json);
  check_printable(json);
  check_json(json);
  const auto format = LogFormat::from_template(parts[0]);
  if (!format) {
    VIPAIR_ASSERT(!format.error().empty(), "a refusal has a reason");
    return 0;
  }
  format->append(entry, custom);
  check_printable(custom);
  return 0;
}
