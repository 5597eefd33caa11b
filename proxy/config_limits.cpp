#include "proxy/config_limits.h"

#include <algorithm>
#include <string>

#include "proxy/config_reader.h"
#include "proxy/http/message.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

void read_limits(ConfigGroup& root, Limits& limits) {
  auto group = root.group("limits");
  if (!group) return;
  constexpr std::uint64_t kHeadMax = 1024 * kKibi;
  assign(limits.request_head, group->size("request_head", kKibi, kHeadMax));
  assign(limits.request_target, group->size("request_target", 64, kHeadMax));
  assign(limits.request_fields, group->integer("request_fields", 1, http::kFieldsMax));
  assign(limits.response_head, group->size("response_head", kKibi, kHeadMax));
  assign(limits.body_rate_min, group->size("body_rate_min", 0, kKibi * kKibi * kKibi));
  assign(limits.connections, group->integer("connections", 1, 10'000'000));
  assign(limits.response_rate_min, group->size("response_rate_min", 0, kKibi * kKibi * kKibi));
  assign(limits.connections_per_address, group->integer("connections_per_address", 0, 10'000'000));
  assign(limits.http2_streams, group->integer("http2_streams", 1, 1000));
  read_body_limit(*group, limits.request_body);
  if (!group->has("request_target")) {
    limits.request_target = std::min(limits.request_target, limits.request_head);
  } else if (limits.request_target > limits.request_head) {
    group->error("request_target", std::to_string(limits.request_target) + " bytes do not fit into request_head, " +
                                       std::to_string(limits.request_head) + " bytes");
  }
  group->finish();
}

void read_body_limit(ConfigGroup& limits, std::uint64_t& bytes_max) {
  if (!limits.has("request_body")) return;
  auto text = limits.text("request_body");
  if (!text) return;
  if (text->value == "unlimited") {
    bytes_max = kUnlimited;
  } else {
    assign(bytes_max, limits.size("request_body", 0, kUnlimited - 1));
  }
}

void read_timeouts(ConfigGroup& root, Timeouts& timeouts) {
  auto group = root.group("timeouts");
  if (!group) return;
  assign(timeouts.request_head, group->duration("request_head", 10ms, 1h));
  assign(timeouts.keep_alive, group->duration("keep_alive", 10ms, 24h));
  assign(timeouts.body_idle, group->duration("body_idle", 10ms, 24h));
  assign(timeouts.write_idle, group->duration("write_idle", 10ms, 24h));
  if (auto text = group->text("request"); text && text->value != "off") {
    assign(timeouts.request, group->duration("request", 100ms, 24h));
  }
  assign(timeouts.connect, group->duration("connect", 10ms, 1h));
  assign(timeouts.response_head, group->duration("response_head", 10ms, 24h));
  assign(timeouts.tunnel_idle, group->duration("tunnel_idle", 10ms, 24h * 30));
  assign(timeouts.tunnel_drain, group->duration("tunnel_drain", 0s, 24h));
  assign(timeouts.handover, group->duration("handover", 0s, 1min));
  assign(timeouts.stop, group->duration("stop", 0s, 24h));
  assign(timeouts.worker_hang, group->duration("worker_hang", 100ms, 1min));
  group->finish();
}

}  // namespace vipair::proxy
