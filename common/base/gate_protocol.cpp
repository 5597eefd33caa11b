#include "common/base/gate_protocol.h"

#include <algorithm>

namespace vipair {
namespace {

constexpr std::string_view kNotReady = "not-ready ";

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::string encode(const ProxyReport& report) {
  if (report.is_ready) return "ready";
  std::string message = std::string(kNotReady) + (report.reason.empty() ? "unknown" : report.reason);
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (message.size() > kGateMessageMax) message.resize(kGateMessageMax);
  return message;
}

std::string encode(NodeRole role) { return role == NodeRole::active ? "active" : "standby"; }

std::optional<ProxyReport> decode_proxy_report(std::string_view message) {
  if (message.size() > kGateMessageMax) return std::nullopt;
  if (message == "ready") return ProxyReport{true, {}};
  if (!message.starts_with(kNotReady)) return std::nullopt;
  message.remove_prefix(kNotReady.size());
  if (message.empty() || !is_printable(message)) return std::nullopt;
  return ProxyReport{false, std::string(message)};
}

std::optional<NodeRole> decode_node_role(std::string_view message) {
  if (message == "active") return NodeRole::active;
  if (message == "standby") return NodeRole::standby;
  return std::nullopt;
}

}  // namespace vipair
