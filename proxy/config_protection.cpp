#include "proxy/config_protection.h"

#include <algorithm>
#include <utility>

#include "proxy/config_reader.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kRequestsMax = 1'000'000'000;
constexpr std::int64_t kBurstMax = 1'000'000;

RateLimit read_rate_limit(ConfigGroup& group) {
  RateLimit limit;
  if (group.require("requests")) assign(limit.requests, group.integer("requests", 1, kRequestsMax));
  assign(limit.per, group.duration("per", 1ms, 24h));
  limit.burst = static_cast<std::uint32_t>(std::min(limit.requests, kBurstMax));
  assign(limit.burst, group.integer("burst", 1, kBurstMax));
  if (auto key = group.choice("key", {"address", "all"})) limit.is_per_address = *key == 0;
  group.finish();
  return limit;
}

std::optional<BasicAuth> read_basic_auth(ConfigGroup& parent) {
  auto group = parent.group("basic_auth");
  if (!group) return {};
  BasicAuth auth;
  assign(auth.is_enabled, group->boolean("enabled"));
  assign(auth.is_forwarded, group->boolean("forward"));
  auto realm = group->text("realm");
  auto file = group->text("password_file");
  if (auth.is_enabled) {
    auth.realm = realm ? realm->value : "restricted";
    const bool is_printable = std::all_of(auth.realm.begin(), auth.realm.end(),
                                          [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
    if (auth.realm.empty() || auth.realm.size() > kRealmMax || !is_printable) {
      group->error(*realm, "is shown to users as it stands, expected 1 to " + std::to_string(kRealmMax) +
                               " printable ASCII characters without quotes and backslashes");
    }
    if (group->require("password_file")) auth.password_file = read_file_setting(*group, "password_file");
    if (auth.password_file) {
      if (auto users = read_users(auth.password_file)) {
        auth.users = std::move(users).value();
      } else {
        group->error(*file, users.error().message);
      }
    }
  } else if (realm || file) {
    group->error("enabled", "is false, so nobody is asked for a password: expected no realm and no password_file");
  }
  group->finish();
  return auth;
}

}  // namespace

Expected<policy::Users, ConfigError> read_users(const FileSetting& file) {
  auto text = read_file(file, policy::kPasswordFileMax);
  if (!text) return Unexpected{std::move(text).error()};
  auto users = policy::parse_password_file(*text);
  if (users) return std::move(users).value();
  return Unexpected{
      file.error(file.path + ":" + std::to_string(users.error().line) + ": " + users.error().message)};
}

std::vector<IpPrefix> read_networks(ConfigGroup& group, std::string_view key, std::size_t max) {
  std::vector<IpPrefix> networks;
  auto texts = group.texts(key);
  if (!check_count(group, key, texts.size(), max)) return networks;
  for (const ConfigText& text : texts) {
    if (auto network = IpPrefix::parse(text.value)) {
      networks.push_back(*network);
    } else {
      group.error(text, in_quotes(text.value) + " is not a network, expected for example \"192.0.2.0/24\"");
    }
  }
  return networks;
}

Protection read_protection(ConfigGroup& group) {
  Protection protection;
  if (group.has("allow")) protection.allow = read_networks(group, "allow", kNetworksMax);
  protection.deny = read_networks(group, "deny", kNetworksMax);
  auto limits = group.groups("rate_limit");
  if (check_count(group, "rate_limit", limits.size(), kRateLimitsMax)) {
    for (ConfigGroup& limit : limits) protection.rate_limits.push_back(read_rate_limit(limit));
  }
  if (auto limit = group.group("connection_limit")) {
    constexpr std::int64_t kMost = 10'000'000;
    assign(protection.connection_limit.per_address, limit->integer("per_address", 1, kMost));
    assign(protection.connection_limit.total, limit->integer("total", 1, kMost));
    if (!limit->has("per_address") && !limit->has("total"))
      limit->error("", "limits nothing, expected `per_address` or `total`");
    limit->finish();
  }
  protection.basic_auth = read_basic_auth(group);
  return protection;
}

}  // namespace vipair::proxy
