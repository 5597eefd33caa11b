#include "proxy/config_health.h"

#include <algorithm>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"
#include "proxy/http/host.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

namespace {

constexpr Duration kIntervalMin = 100ms, kIntervalMax = 1h;
constexpr Duration kTimeoutMin = 10ms, kTimeoutMax = 1min;
constexpr int kRiseFallMax = 100;
constexpr std::size_t kPathMax = 2048;  // bytes

void read_timing(ConfigGroup& group, policy::HealthTiming& timing) {
  assign(timing.interval, group.duration("interval", kIntervalMin, kIntervalMax));
  timing.fast_interval = std::clamp(timing.interval / 4, std::min(kIntervalMin, timing.interval), timing.interval);
  timing.jitter = timing.interval / 10;
  timing.timeout = std::min(timing.interval, timing.timeout);
  assign(timing.fast_interval, group.duration("fast_interval", kIntervalMin, kIntervalMax));
  assign(timing.jitter, group.duration("jitter", 0s, kIntervalMax));
  assign(timing.timeout, group.duration("timeout", kTimeoutMin, kTimeoutMax));
  assign(timing.rise, group.integer("rise", 1, kRiseFallMax));
  assign(timing.fall, group.integer("fall", 1, kRiseFallMax));
  if (timing.fast_interval > timing.interval)
    group.error("fast_interval", "is longer than interval, " + format_duration(timing.interval));
}

void read_path(ConfigGroup& group, std::string& path) {
  auto text = group.text("path");
  if (!text) return;
  path = text->value;
  if (path.empty() || path.front() != '/' || path.size() > kPathMax ||
      !std::all_of(path.begin(), path.end(), http::is_target_char) || path.find('#') != std::string::npos)
    group.error(*text, in_quotes(path) + " is not a path of a URL, expected for example \"/health?full=1\"");
}

void read_statuses(ConfigGroup& group, std::vector<policy::StatusRange>& expected) {
  if (!group.has("expect_status")) return;
  auto texts = group.texts("expect_status");
  if (texts.empty()) group.error("expect_status", "is empty, expected for example [ \"200-399\" ]");
  if (!check_count(group, "expect_status", texts.size(), kExpectedStatusesMax)) return;
  expected.clear();
  for (const ConfigText& text : texts) {
    if (auto range = policy::parse_status_range(text.value)) {
      expected.push_back(*range);
    } else {
      group.error(text, in_quotes(text.value) + " is not a status, expected for example \"204\" or \"200-399\"");
    }
  }
}

void read_http(ConfigGroup& group, HealthCheck& check) {
  read_path(group, check.path);
  if (auto text = group.text("host")) {
    check.host = text->value;
    if (!http::Authority::parse(check.host))
      group.error(*text, in_quotes(check.host) + " is not a host, expected a name or an address");
  }
  if (auto text = group.text("method")) {
    check.method = text->value;
    if (!http::is_token(check.method) || check.method == "CONNECT")
      group.error(*text, in_quotes(check.method) + " is not a method to check with, expected for example \"GET\"");
  }
  read_statuses(group, check.expect_status);
  if (auto text = group.text("expect_body")) {
    check.expect_body = text->value;
    if (check.expect_body.empty() || check.expect_body.size() > kExpectedBodyMax)
      group.error(*text, "expected a text of 1 to " + std::to_string(kExpectedBodyMax) + " bytes");
    if (check.method == "HEAD") group.error(*text, "a response to HEAD has no body: remove this, or use GET");
  }
}

}  // namespace

std::optional<HealthCheck> read_health(ConfigGroup& upstream) {
  auto group = upstream.group("health");
  if (!group) return std::nullopt;
  HealthCheck check;
  if (group->require("type")) {
    if (auto type = group->choice("type", {"http", "https", "tcp"}))
      check.type = static_cast<HealthCheck::Type>(*type);
  }
  if (check.type == HealthCheck::Type::https && !upstream.has("tls"))
    group->error("type", "\"https\" is checked as the upstream's tls = { … } says, which is missing");
  if (check.type == HealthCheck::Type::tcp) {
    for (std::string_view key : {"path", "host", "method", "expect_status", "expect_body"}) {
      if (group->has(key))
        group->error(key, "has no meaning for a check of type \"tcp\": remove it, or use \"http\"");
    }
  } else {
    read_http(*group, check);
  }
  assign(check.port, group->integer("port", 1, 65535));
  read_timing(*group, check.timing);
  group->finish();
  return check;
}

}  // namespace vipair::proxy
