#include "common/base/gate_protocol.h"

#include <algorithm>
#include <charconv>

namespace vipair {
namespace {

constexpr std::string_view kReady = "ready";
constexpr std::string_view kUpstreams = "ready upstreams=";
constexpr std::string_view kNotReady = "not-ready ";

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// A decimal number in front of `text`, which is then behind it.
std::optional<std::uint32_t> take_number(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<UpstreamCount> decode_upstreams(std::string_view text) {
  const auto usable = take_number(text);
  if (!usable || !text.starts_with('/')) return std::nullopt;
  text.remove_prefix(1);
  const auto total = take_number(text);
  if (!total || !text.empty() || *total == 0 || *usable > *total) return std::nullopt;
  return UpstreamCount{*usable, *total};
}

}  // namespace

std::string encode(const ProxyReport& report) {
  if (report.is_ready) {
    const auto [usable, total] = report.upstreams;
    if (total == 0) return std::string(kReady);
    return std::string(kUpstreams) + std::to_string(usable) + "/" + std::to_string(total);
  }
  std::string message = std::string(kNotReady) + (report.reason.empty() ? "unknown" : report.reason);
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (message.size() > kGateMessageMax) message.resize(kGateMessageMax);
  return message;
}

std::string encode(NodeRole role) { return role == NodeRole::active ? "active" : "standby"; }

std::optional<ProxyReport> decode_proxy_report(std::string_view message) {
  if (message.size() > kGateMessageMax) return std::nullopt;
  if (message == kReady) return ProxyReport{true, {}, {}};
  if (message.starts_with(kUpstreams)) {
    const auto upstreams = decode_upstreams(message.substr(kUpstreams.size()));
    if (!upstreams) return std::nullopt;
    return ProxyReport{true, {}, *upstreams};
  }
  if (!message.starts_with(kNotReady)) return std::nullopt;
  message.remove_prefix(kNotReady.size());
  if (message.empty() || !is_printable(message)) return std::nullopt;
  return ProxyReport{false, std::string(message), {}};
}

std::optional<NodeRole> decode_node_role(std::string_view message) {
  if (message == "active") return NodeRole::active;
  if (message == "standby") return NodeRole::standby;
  return std::nullopt;
}

}  // namespace vipair
