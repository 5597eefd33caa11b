#include "proxy/config_balancing.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

namespace {

void read_hash_on(ConfigGroup& group, Balancing& balancing) {
  const auto text = group.text("hash_on");
  if (!text) return;
  const std::string_view value = text->value;
  const auto colon = value.find(':');
  const std::string_view source = value.substr(0, colon);
  const std::string_view name = colon == std::string_view::npos ? "" : value.substr(colon + 1);
  HashOn& hash_on = balancing.hash_on;
  if (value == "address") {
    hash_on.source = HashOn::Source::address;
  } else if (value == "path") {
    hash_on.source = HashOn::Source::path;
  } else if (source == "header" && http::is_token(name)) {
    hash_on.source = HashOn::Source::header;
  } else if (source == "cookie" && http::is_token(name)) {
    hash_on.source = HashOn::Source::cookie;
  } else {
    group.error(*text, in_quotes(value) +
                           " is nothing to go by, expected \"address\", \"path\", \"header:NAME\" or "
                           "\"cookie:NAME\"");
    return;
  }
  hash_on.name = name;
}

// "20%"
void read_percent(ConfigGroup& group, std::string_view key, unsigned min, unsigned max, unsigned& percent) {
  const auto text = group.text(key);
  if (!text) return;
  const std::string& value = text->value;
  unsigned number = 0;
  const char* end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr + 1 != end || *parsed.ptr != '%' || number < min || number > max) {
    group.error(*text, in_quotes(value) + " is out of range, expected \"" + std::to_string(min) + "%\" to \"" +
                           std::to_string(max) + "%\"");
    return;
  }
  percent = number;
}

void read_passive_health(ConfigGroup& upstream, Balancing& balancing) {
  auto group = upstream.group("passive_health");
  if (!group) return;
  policy::BreakerSettings& breaker = balancing.breaker;
  assign(breaker.failures, group->integer("failures", 0, 10'000));
  assign(breaker.eject, group->duration("eject", 100ms, 24h));
  breaker.eject_max = std::max(breaker.eject_max, breaker.eject);
  assign(breaker.eject_max, group->duration("eject_max", 100ms, 24h));
  if (breaker.eject_max < breaker.eject)
    group->error("eject_max", "is shorter than eject, " + format_duration(breaker.eject));
  for (const ConfigText& text : group->texts("statuses")) {
    unsigned status = 0;
    const char* end = text.value.data() + text.value.size();
    const auto parsed = std::from_chars(text.value.data(), end, status);
    if (parsed.ec != std::errc() || parsed.ptr != end || status < 400 || status > 599) {
      group->error(text, in_quotes(text.value) + " is not the status of a failure, expected \"400\" to \"599\"");
    } else {
      balancing.failure_statuses.set(status);
    }
  }
  group->finish();
}

}  // namespace

void read_balancing(ConfigGroup& upstream, Balancing& balancing) {
  if (const auto algorithm = upstream.choice("balance", {"round_robin", "least_connections", "random", "hash"}))
    balancing.algorithm = static_cast<policy::Algorithm>(*algorithm);
  read_hash_on(upstream, balancing);
  read_percent(upstream, "hash_load_max", 101, 1000, balancing.hash_load_max);
  if (balancing.algorithm != policy::Algorithm::hash) {
    for (std::string_view key : {"hash_on", "hash_load_max"}) {
      if (upstream.has(key)) upstream.error(key, "has no effect without balance = \"hash\"");
    }
  }
  assign(balancing.slow_start, upstream.duration("slow_start", 0s, 1h));
  if (balancing.slow_start > Duration::zero() && balancing.algorithm == policy::Algorithm::hash)
    upstream.error("slow_start", "has no effect with balance = \"hash\": a key has one server");
  read_passive_health(upstream, balancing);
  if (auto retries = upstream.group("retries")) {
    assign(balancing.retries.attempts, retries->integer("attempts", 1, 10));
    read_percent(*retries, "budget", 0, 1000, balancing.retries.budget);
    if (const auto idempotent = retries->boolean("idempotent")) balancing.retries.idempotent = *idempotent;
    retries->finish();
  }
  if (auto queue = upstream.group("queue")) {
    assign(balancing.queue.length, queue->integer("length", 0, 100'000));
    assign(balancing.queue.timeout, queue->duration("timeout", 10ms, 1h));
    queue->finish();
  }
}

}  // namespace vipair::proxy
