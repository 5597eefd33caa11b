#include "proxy/config.h"

#include <glob.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <set>
#include <string_view>
#include <system_error>

#include "proxy/http/chars.h"
#include "proxy/http/header_rules.h"
#include "proxy/http/host.h"
#include "proxy/http/message.h"
#include "proxy/http/target.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kUnsupported = "not supported by this version";
constexpr std::uint64_t kKibi = 1024;
constexpr std::size_t kNameMax = 64;  // bytes of an upstream's name

bool consists_of(std::string_view text, std::string_view also) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return http::is_alpha(c) || http::is_digit(c) || also.find(c) != std::string_view::npos;
  });
}

// A value of a file as part of an error: whatever it holds, one printable and bounded line comes out.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 80;  // bytes
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result = "\"";
  for (char c : text.substr(0, kShown)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      result += c;
    }
  }
  return result + (text.size() > kShown ? "…\"" : "\"");
}
std::string place(const ConfigText& text) { return text.file + ":" + std::to_string(text.line); }

template <class T, class U>
void assign(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

void refuse_unsupported(ConfigGroup& group, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    if (group.has(key)) group.error(key, std::string(kUnsupported));
  }
}

// False, and said so, when there are more than `max` of them.
bool check_count(ConfigGroup& group, std::string_view key, std::size_t count, std::size_t max) {
  if (count <= max) return true;
  group.error(key, std::to_string(count) + " entries, expected at most " + std::to_string(max));
  return false;
}

// ---- header rules --------------------------------------------------------------------------

enum class Direction { request, response };

bool check_field_name(ConfigGroup& group, const ConfigText& name, Direction direction, std::string_view verb) {
  if (!http::is_token(name.value) || name.value.size() > kHeaderNameMax) {
    group.error(name, in_quotes(name.value) +
                          " is not a field name, expected letters, digits and hyphens, at most " +
                          std::to_string(kHeaderNameMax) + " bytes");
    return false;
  }
  if (!http::HeaderRules::may_be_changed(name.value)) {
    group.error(name, name.value + " cannot be changed: the proxy itself writes it for each connection");
    return false;
  }
  if (direction == Direction::request && http::equal_ignoring_case(name.value, "Host") && verb != "set") {
    group.error(name, "a request has exactly one Host: it can be set, not added or removed");
    return false;
  }
  return true;
}

bool check_field_value(ConfigGroup& group, const ConfigText& value) {
  const std::string& text = value.value;
  if (text.size() > kHeaderValueMax) {
    group.error(value, std::to_string(text.size()) + " bytes, expected at most " + std::to_string(kHeaderValueMax));
    return false;
  }
  if (!text.empty() && (http::is_blank(text.front()) || http::is_blank(text.back()))) {
    group.error(value, "a field's value cannot begin or end with white space");
    return false;
  }
  if (auto compiled = http::Template::compile(text); !compiled) {
    group.error(value, to_string(compiled.error()));
    return false;
  }
  return true;
}

// A Host that is empty or none would be refused by every server.
bool check_host_value(ConfigGroup& group, const ConfigText& value) {
  if (http::Authority::parse(value.value) || value.value == "${upstream_address}") return true;
  group.error(value, in_quotes(value.value) + " is not a host, expected a name, an address or ${upstream_address}");
  return false;
}

std::vector<HeaderRule> read_rules(ConfigGroup& group, std::string_view verb, Direction direction) {
  std::vector<HeaderRule> rules;
  auto pairs = group.text_pairs(verb);
  if (!check_count(group, verb, pairs.size(), kHeaderRulesMax)) return rules;
  for (const auto& pair : pairs) {
    const auto& name = pair.first;  // clang 14 captures no structured bindings
    const auto& value = pair.second;
    bool name_is_valid = check_field_name(group, name, direction, verb);
    bool is_host = direction == Direction::request && http::equal_ignoring_case(name.value, "Host");
    bool value_is_valid = is_host ? check_host_value(group, value) : check_field_value(group, value);
    if (!name_is_valid || !value_is_valid) continue;
    bool is_repeated = std::any_of(rules.begin(), rules.end(), [&](const HeaderRule& rule) {
      return http::equal_ignoring_case(rule.name, name.value);
    });
    if (verb == "set" && is_repeated) {
      group.error(name, name.value + " is set twice: `add` appends a second one");
      continue;
    }
    rules.push_back({name.value, value.value});
  }
  return rules;
}

HeaderRules read_header_rules(ConfigGroup& parent, std::string_view key, Direction direction) {
  HeaderRules rules;
  auto group = parent.group(key);
  if (!group) return rules;
  auto removed = group->texts("remove");
  if (check_count(*group, "remove", removed.size(), kHeaderRulesMax)) {
    for (const ConfigText& name : removed) {
      if (check_field_name(*group, name, direction, "remove")) rules.remove.push_back(name.value);
    }
  }
  rules.set = read_rules(*group, "set", direction);
  rules.add = read_rules(*group, "add", direction);
  group->finish();
  return rules;
}

// ---- hosts and paths -----------------------------------------------------------------------

// A host pattern in the form that requests are compared with, or what is wrong with it.
Expected<std::string, std::string> parse_host_pattern(std::string_view text) {
  auto wrong = [&](std::string_view why) { return Unexpected{in_quotes(text) + " " + std::string(why)}; };
  if (text == "*") return std::string(text);
  bool is_wildcard = text.substr(0, 2) == "*.";
  std::string_view name = is_wildcard ? text.substr(2) : text;
  if (name.find('*') != std::string_view::npos)
    return wrong("has a * elsewhere, expected \"*.\" in front of a name, or \"*\" alone for the default site");
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7e; }))
    return wrong("is not ASCII, expected the name's xn-- form");
  auto authority = http::Authority::parse(name);
  if (!authority) return wrong("is not a host name");
  if (authority->host().size() != name.size() && name.front() != '[')
    return wrong("has a port or ends in a dot, expected the name alone");
  if (name.front() == '[' && name.back() != ']') return wrong("has a port, expected the address alone");
  std::string host(authority->host());
  bool is_address = name.front() == '[' || IpAddress::parse(host);
  if (is_wildcard && is_address) return wrong("is a wildcard of an address, expected one of a name");
  return is_wildcard ? "*." + host : host;
}

// Requests are matched by the canonical form of their path: a route in another form would never be taken.
std::optional<std::string> wrong_with_path(const std::string& path) {
  if (path.empty() || path.front() != '/') return in_quotes(path) + " does not start with \"/\"";
  if (path.find_first_of("?#") != std::string::npos)
    return in_quotes(path) + " has a query or a fragment: routes match the path alone";
  bool is_target = std::all_of(path.begin(), path.end(), http::is_target_char);
  http::RequestHead head;
  head.path_and_query = {0, static_cast<std::uint32_t>(path.size())};
  http::Buffer scratch;
  auto target = http::canonical_target(head, path.data(), scratch);
  if (!is_target || !target)
    return in_quotes(path) + " is not a path of a URL, expected for example \"/caf%C3%A9\"";
  if (target->path != path)
    return in_quotes(path) + " is never asked for, expected its canonical form " + in_quotes(target->path);
  return std::nullopt;
}

// ---- addresses and files -------------------------------------------------------------------

std::optional<IpEndpoint> read_endpoint(ConfigGroup& group, const ConfigText& text, std::string_view example) {
  auto endpoint = IpEndpoint::parse(text.value);
  const char* wrong = nullptr;
  if (!endpoint) {
    wrong = " is not an address with a port";
  } else if (endpoint->port == 0) {
    wrong = " has port 0";
  } else if (endpoint->address.is_multicast()) {
    wrong = " is a multicast address";
  } else if (endpoint->address.is_v6() && endpoint->address.is_link_local()) {
    wrong = " means another host on every interface";
  }
  if (!wrong) return endpoint;
  group.error(text, in_quotes(text.value) + wrong + ", expected for example " + in_quotes(example));
  return std::nullopt;
}

std::optional<IpEndpoint> read_server(ConfigGroup& group, const ConfigText& text) {
  auto endpoint = IpEndpoint::parse(text.value);
  if (!endpoint) {
    std::size_t colon = text.value.rfind(':');
    std::string_view host = std::string_view(text.value).substr(0, colon);
    if (colon != std::string::npos && consists_of(host, "-._") &&
        host.find_first_not_of("0123456789.") != std::string_view::npos) {
      group.error(text, in_quotes(text.value) + ": resolving names is " + std::string(kUnsupported) +
                            ", expected an IP address with a port");
      return std::nullopt;
    }
  } else if (endpoint->address.is_unspecified()) {
    group.error(text, in_quotes(text.value) + " is not the address of a server");
    return std::nullopt;
  }
  return read_endpoint(group, text, "10.0.0.11:8080");
}

void read_socket_path(ConfigGroup& root, std::string_view key, std::string& path) {
  auto text = root.text(key);
  if (!text) return;
  path = root.path_relative_to_file(text->value);
  constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;
  if (text->value.empty() || path.size() > kPathMax)
    root.error(*text, "a socket's path has 1 to " + std::to_string(kPathMax) + " bytes");
}

std::string absolute(const std::string& path) {
  std::error_code ec;
  auto result = std::filesystem::absolute(path, ec);
  return ec ? path : result.lexically_normal().string();
}

// The files that a pattern names, sorted.
std::vector<std::string> expand(ConfigGroup& root, const ConfigText& pattern) {
  std::string path = root.path_relative_to_file(pattern.value);
  glob_t found{};
  errno = 0;
  int result = ::glob(path.c_str(), GLOB_ERR, nullptr, &found);
  int reason = errno;
  std::vector<std::string> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  bool is_pattern = path.find_first_of("*?[") != std::string::npos;
  if (result == GLOB_NOMATCH && !is_pattern) {
    root.error(pattern, in_quotes(path) + " does not exist");
  } else if (result == GLOB_ABORTED) {
    root.error(pattern, "cannot read the folder of " + in_quotes(path) + ": " +
                            std::error_code(reason, std::generic_category()).message());
  } else if (result == GLOB_NOSPACE) {
    root.error(pattern, in_quotes(path) + " matches too many files");
  }
  return files;
}

// ---- the loader ----------------------------------------------------------------------------

class Loader {
 public:
  explicit Loader(ConfigErrors& errors) : errors_(errors) {}

  Config load(ConfigGroup root) {
    read_node(root);
    assign(config_.workers, root.integer("workers", 0, kWorkersMax));
    read_listeners(root);
    read_limits(root);
    read_timeouts(root);
    read_access_log(root);
    read_sockets(root);
    read_trusted_proxies(root);
    refuse_unsupported(root, {"cache", "tls", "certificate"});
    request_headers_ = read_header_rules(root, "request_headers", Direction::request);
    config_.response_headers = read_header_rules(root, "response_headers", Direction::response);
    read_sites(root);
    read_includes(root);
    root.finish();
    return std::move(config_);
  }

 private:
  void read_node(ConfigGroup& root) {
    bool is_named = root.has("node_file");
    auto text = root.text("node_file");
    if (is_named && !text) return;
    std::string path = root.path_relative_to_file(text ? text->value : "node.conf");
    std::error_code ec;
    if (text || std::filesystem::exists(path, ec) || ec) {
      auto file = ConfigFile::load(path, errors_);
      if (!file) return;
      ConfigGroup node = file->root();
      if (node.has("node")) {
        auto name = node.text("node");
        if (!name) return;
        config_.node = name->value;
        if (!is_node_name(config_.node)) {
          node.error(*name,
                     in_quotes(config_.node) + " is not a name, expected letters, digits, \"-\", \"_\" and \".\"");
        }
        return;
      }
    }
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) == 0) config_.node = host.data();
    if (!is_node_name(config_.node)) {
      root.error("node_file", "the host's name " + in_quotes(config_.node) +
                                  " cannot be used as the node's, expected a file with `node = \"…\"`");
    }
  }

  static bool is_node_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && consists_of(name, "-_.");
  }

  void read_listeners(ConfigGroup& root) {
    if (!root.require("listeners")) return;
    auto groups = root.groups("listeners");
    if (!check_count(root, "listeners", groups.size(), kListenersMax)) return;
    if (groups.empty()) root.error("listeners", "is empty, expected at least one { address = \"0.0.0.0:80\"; }");
    std::map<IpEndpoint, ConfigText> seen;
    for (ConfigGroup& group : groups) {
      auto text = group.require("address") ? group.text("address") : std::nullopt;
      auto endpoint = text ? read_endpoint(group, *text, "0.0.0.0:80") : std::nullopt;
      if (group.boolean("tls").value_or(false)) group.error("tls", std::string(kUnsupported));
      group.finish();
      if (!endpoint) continue;
      auto [other, is_new] = seen.emplace(*endpoint, *text);
      if (!is_new) {
        group.error(*text, in_quotes(text->value) + " is listened on already, at " + place(other->second));
        continue;
      }
      config_.listeners.push_back({*endpoint});
    }
  }

  void read_limits(ConfigGroup& root) {
    auto group = root.group("limits");
    if (!group) return;
    Limits& limits = config_.limits;
    constexpr std::uint64_t kHeadMax = 1024 * kKibi;
    assign(limits.request_head, group->size("request_head", kKibi, kHeadMax));
    assign(limits.request_target, group->size("request_target", 64, kHeadMax));
    assign(limits.request_fields, group->integer("request_fields", 1, http::kFieldsMax));
    assign(limits.response_head, group->size("response_head", kKibi, kHeadMax));
    assign(limits.body_rate_min, group->size("body_rate_min", 0, kKibi * kKibi * kKibi));
    assign(limits.connections, group->integer("connections", 1, 10'000'000));
    read_body_limit(*group, limits.request_body);
    if (!group->has("request_target")) {
      limits.request_target = std::min(limits.request_target, limits.request_head);
    } else if (limits.request_target > limits.request_head) {
      group->error("request_target", std::to_string(limits.request_target) +
                                         " bytes do not fit into request_head, " +
                                         std::to_string(limits.request_head) + " bytes");
    }
    group->finish();
  }

  static void read_body_limit(ConfigGroup& limits, std::uint64_t& bytes_max) {
    if (!limits.has("request_body")) return;
    auto text = limits.text("request_body");
    if (!text) return;
    if (text->value == "unlimited") {
      bytes_max = kUnlimited;
    } else {
      assign(bytes_max, limits.size("request_body", 0, kUnlimited - 1));
    }
  }

  void read_timeouts(ConfigGroup& root) {
    auto group = root.group("timeouts");
    if (!group) return;
    Timeouts& timeouts = config_.timeouts;
    assign(timeouts.request_head, group->duration("request_head", 10ms, 1h));
    assign(timeouts.keep_alive, group->duration("keep_alive", 10ms, 24h));
    assign(timeouts.body_idle, group->duration("body_idle", 10ms, 24h));
    assign(timeouts.write_idle, group->duration("write_idle", 10ms, 24h));
    assign(timeouts.connect, group->duration("connect", 10ms, 1h));
    assign(timeouts.response_head, group->duration("response_head", 10ms, 24h));
    assign(timeouts.handover, group->duration("handover", 0s, 1min));
    assign(timeouts.stop, group->duration("stop", 0s, 24h));
    assign(timeouts.worker_hang, group->duration("worker_hang", 100ms, 1min));
    group->finish();
  }

  void read_access_log(ConfigGroup& root) {
    auto group = root.group("access_log");
    if (!group) return;
    config_.access_log.format = AccessLogFormat::combined;
    if (auto format = group->choice("format", {"off", "combined", "json"}))
      config_.access_log.format = static_cast<AccessLogFormat>(*format);
    auto path = group->text("path");
    if (path && path->value.empty()) group->error(*path, "is empty, expected the path of a file");
    if (path) config_.access_log.path = absolute(group->path_relative_to_file(path->value));
    if (config_.access_log.format == AccessLogFormat::off) {
      config_.access_log.path.clear();
    } else if (!path) {
      group->require("path");
    }
    group->finish();
  }

  void read_sockets(ConfigGroup& root) {
    read_socket_path(root, "control_socket", config_.control_socket);
    read_socket_path(root, "gate_socket", config_.gate_socket);
    if (config_.control_socket == config_.gate_socket)
      root.error("control_socket", "is the gate socket too: the first is ours, the second the agent's");
    auto group = root.group("admin");
    if (!group) return;
    auto text = group->require("address") ? group->text("address") : std::nullopt;
    if (text) config_.admin = read_endpoint(*group, *text, "127.0.0.1:9180");
    if (config_.admin) {
      for (const Listener& listener : config_.listeners) {
        bool overlaps = listener.address.address.family() == config_.admin->address.family() &&
                        listener.address.port == config_.admin->port &&
                        (listener.address.address == config_.admin->address ||
                         listener.address.address.is_unspecified() || config_.admin->address.is_unspecified());
        if (overlaps)
          group->error(*text, in_quotes(text->value) + " is taken by the listener " + listener.address.to_string());
      }
    }
    group->finish();
  }

  void read_trusted_proxies(ConfigGroup& root) {
    auto texts = root.texts("trusted_proxies");
    if (!check_count(root, "trusted_proxies", texts.size(), kTrustedProxiesMax)) return;
    for (const ConfigText& text : texts) {
      auto prefix = IpPrefix::parse(text.value);
      if (prefix) {
        config_.trusted_proxies.push_back(*prefix);
      } else {
        root.error(text, in_quotes(text.value) + " is not a network, expected for example \"192.0.2.0/24\"");
      }
    }
  }

  void read_includes(ConfigGroup& root) {
    std::set<std::string> files_seen;
    auto patterns = root.texts("include");
    for (const ConfigText& pattern : patterns) {
      for (const std::string& path : expand(root, pattern)) {
        if (!files_seen.insert(path).second) continue;
        if (files_seen.size() > kSiteFilesMax) {
          root.error(pattern, "more than " + std::to_string(kSiteFilesMax) + " files");
          return;
        }
        auto file = ConfigFile::load(path, errors_);
        if (!file) continue;
        ConfigGroup group = file->root();
        if (!read_sites(group)) group.error("", "holds no site, expected `site = { … };` or `sites = ( … );`");
        group.finish();
      }
    }
    if (config_.sites.empty() && errors_.empty())
      root.error("include", "there is no site: nothing would be served");
  }

  // Of proxy.conf itself or of an included file. False when it speaks of none.
  bool read_sites(ConfigGroup& file) {
    bool speaks_of_sites = false;
    for (std::string_view key : {"site", "sites"}) {
      speaks_of_sites |= file.has(key);
      for (ConfigGroup& group : file.groups(key)) {
        if (config_.sites.size() == kSitesMax) {
          group.error("hosts", "more than " + std::to_string(kSitesMax) + " sites");
          return true;
        }
        read_site(group);
      }
    }
    return speaks_of_sites;
  }

  void read_site(ConfigGroup& group) {
    Site site;
    site.file = group.file();
    site.line = group.line();
    read_hosts(group, site);
    if (auto https = group.choice("https", {"off", "redirect", "both", "only"}); https && *https != 0)
      group.error("https", std::string(kUnsupported) + ", expected \"off\"");
    refuse_unsupported(group, {"certificate", "cache"});
    site.request_body_max = config_.limits.request_body;
    if (auto limits = group.group("limits")) {
      read_body_limit(*limits, site.request_body_max);
      limits->finish();
    }
    HeaderRules request_headers =
        merge(request_headers_, read_header_rules(group, "request_headers", Direction::request));
    site.response_headers =
        merge(config_.response_headers, read_header_rules(group, "response_headers", Direction::response));
    read_upstreams(group, site);
    read_routes(group, site, request_headers);
    group.finish();
    config_.sites.push_back(std::move(site));
  }

  void read_hosts(ConfigGroup& group, Site& site) {
    if (!group.require("hosts")) return;
    auto texts = group.texts("hosts");
    if (texts.empty()) group.error("hosts", "is empty, expected host names, or \"*\" for the default site");
    if (!check_count(group, "hosts", texts.size(), kHostsPerSiteMax)) return;
    for (const ConfigText& text : texts) {
      auto host = parse_host_pattern(text.value);
      if (!host) {
        group.error(text, host.error());
        continue;
      }
      auto [other, is_new] = hosts_.emplace(*host, text);
      if (!is_new) {
        group.error(text, in_quotes(*host) + " is served already, at " + place(other->second));
        continue;
      }
      site.hosts.push_back(*host);
    }
    if (!site.hosts.empty()) site.name = site.hosts.front();
  }

  void read_upstreams(ConfigGroup& site_group, Site& site) {
    upstream_names_.clear();
    if (!site_group.require("upstreams")) return;
    auto groups = site_group.groups("upstreams");
    if (!check_count(site_group, "upstreams", groups.size(), kUpstreamsPerSiteMax)) return;
    for (ConfigGroup& group : groups) {
      Upstream upstream;
      if (auto name = group.require("name") ? group.text("name") : std::nullopt) {
        upstream.name = name->value;
        auto [other, is_new] = upstream_names_.emplace(name->value, Named{*name, site.upstreams.size()});
        if (name->value.empty() || name->value.size() > kNameMax || !consists_of(name->value, "-_.")) {
          group.error(*name, in_quotes(name->value) + " is not a name, expected 1 to " + std::to_string(kNameMax) +
                                 " letters, digits, \"-\", \"_\" and \".\"");
        } else if (!is_new) {
          group.error(*name, in_quotes(name->value) + " is defined already, at " + place(other->second.text));
        }
      }
      read_servers(group, upstream);
      if (auto balance = group.choice("balance", {"round_robin", "least_connections", "random", "hash"});
          balance && *balance != 0)
        group.error("balance", std::string(kUnsupported) + ", expected \"round_robin\"");
      refuse_unsupported(group, {"sticky", "health"});
      upstream.connect_timeout = config_.timeouts.connect;
      upstream.response_head_timeout = config_.timeouts.response_head;
      if (auto timeouts = group.group("timeouts")) {
        assign(upstream.connect_timeout, timeouts->duration("connect", 10ms, 1h));
        assign(upstream.response_head_timeout, timeouts->duration("response_head", 10ms, 24h));
        timeouts->finish();
      }
      if (auto keep_alive = group.group("keep_alive")) {
        assign(upstream.idle_connections, keep_alive->integer("idle_connections", 0, 100'000));
        assign(upstream.idle_timeout, keep_alive->duration("idle_timeout", 10ms, 24h));
        keep_alive->finish();
      }
      assign(upstream.avoid_failed, group.duration("avoid_failed", 0s, 1h));
      group.finish();
      site.upstreams.push_back(std::move(upstream));
    }
  }

  // Strings, or groups for servers that say more than their address.
  static void read_servers(ConfigGroup& group, Upstream& upstream) {
    if (!group.require("servers")) return;
    std::map<IpEndpoint, ConfigText> seen;
    auto add = [&](ConfigGroup& where, const ConfigText& text) {
      auto endpoint = read_server(where, text);
      if (!endpoint) return;
      if (auto [other, is_new] = seen.emplace(*endpoint, text); !is_new) {
        where.error(text, in_quotes(text.value) + " is a server already, at " + place(other->second));
        return;
      }
      upstream.servers.push_back(*endpoint);
    };
    if (group.is_text_list("servers")) {
      auto texts = group.texts("servers");
      if (texts.empty()) group.error("servers", "is empty, expected at least one \"10.0.0.11:8080\"");
      if (!check_count(group, "servers", texts.size(), kServersPerUpstreamMax)) return;
      for (const ConfigText& text : texts) add(group, text);
      return;
    }
    auto servers = group.groups("servers");
    if (!check_count(group, "servers", servers.size(), kServersPerUpstreamMax)) return;
    for (ConfigGroup& server : servers) {
      if (auto text = server.require("address") ? server.text("address") : std::nullopt) add(server, *text);
      refuse_unsupported(server, {"weight", "backup", "max_connections"});
      server.finish();
    }
  }

  void read_routes(ConfigGroup& site_group, Site& site, const HeaderRules& request_headers) {
    if (!site_group.require("routes")) return;
    auto groups = site_group.groups("routes");
    if (groups.empty())
      site_group.error("routes", "is empty, expected at least one { path = \"/\"; upstream = \"…\"; }");
    if (!check_count(site_group, "routes", groups.size(), kRoutesPerSiteMax)) return;
    std::map<std::pair<std::size_t, std::string>, ConfigText> seen;
    for (ConfigGroup& group : groups) {
      Route route;
      auto path = group.require("path") ? group.text("path") : std::nullopt;
      auto match = group.choice("match", {"prefix", "exact", "regex"});
      if (match && *match > 1) {
        group.error("match", std::string(kUnsupported) + ", expected \"prefix\" or \"exact\"");
      } else if (match) {
        route.match = static_cast<PathMatch>(*match);
      }
      if (path) {
        if (auto wrong = wrong_with_path(path->value)) group.error(*path, *wrong);
        auto [other, is_new] = seen.emplace(std::pair(match.value_or(0), path->value), *path);
        if (!is_new) group.error(*path, in_quotes(path->value) + " is routed already, at " + place(other->second));
        route.path = path->value;
      }
      if (auto name = group.require("upstream") ? group.text("upstream") : std::nullopt) {
        auto found = upstream_names_.find(name->value);
        if (found != upstream_names_.end()) {
          route.upstream = found->second.index;
        } else {
          group.error(*name, "this site has no upstream " + in_quotes(name->value) + ", " + known_upstreams());
        }
      }
      route.request_headers =
          merge(request_headers, read_header_rules(group, "request_headers", Direction::request));
      route.response_headers =
          merge(site.response_headers, read_header_rules(group, "response_headers", Direction::response));
      group.finish();
      site.routes.push_back(std::move(route));
    }
  }

  std::string known_upstreams() const {
    if (upstream_names_.empty()) return "it has none";
    std::string text = "expected ";
    constexpr std::size_t kNamed = 5;
    std::size_t count = 0;
    for (const auto& [name, upstream] : upstream_names_) {
      if (count == kNamed) return text + " or another of its " + std::to_string(upstream_names_.size());
      text += (count++ ? ", " : "") + in_quotes(name);
    }
    return text;
  }

  struct Named {
    ConfigText text;
    std::size_t index;
  };

  ConfigErrors& errors_;
  Config config_;
  HeaderRules request_headers_;                  // of the proxy level
  std::map<std::string, ConfigText> hosts_;      // of all sites
  std::map<std::string, Named> upstream_names_;  // of the site that is being read
};

Expected<Config, ConfigErrors> load(std::optional<ConfigFile> file, ConfigErrors& errors) {
  if (!file) return Unexpected{std::move(errors)};
  Config config = Loader(errors).load(file->root());
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return config;
}

}  // namespace

HeaderRules merge(const HeaderRules& outer, const HeaderRules& inner) {
  auto is_replaced = [&](const HeaderRule& rule) {
    auto same_as_text = [&](const std::string& name) { return http::equal_ignoring_case(name, rule.name); };
    auto same_as_rule = [&](const HeaderRule& other) { return http::equal_ignoring_case(other.name, rule.name); };
    return std::any_of(inner.remove.begin(), inner.remove.end(), same_as_text) ||
           std::any_of(inner.set.begin(), inner.set.end(), same_as_rule);
  };
  HeaderRules merged = outer;
  std::erase_if(merged.set, is_replaced);
  std::erase_if(merged.add, is_replaced);
  merged.remove.insert(merged.remove.end(), inner.remove.begin(), inner.remove.end());
  merged.set.insert(merged.set.end(), inner.set.begin(), inner.set.end());
  merged.add.insert(merged.add.end(), inner.add.begin(), inner.add.end());
  return merged;
}

Expected<Config, ConfigErrors> load_config(const std::string& path) {
  ConfigErrors errors;
  return load(ConfigFile::load(path, errors), errors);
}

Expected<Config, ConfigErrors> parse_config(const std::string& text, const std::string& name) {
  ConfigErrors errors;
  return load(ConfigFile::parse(text, name, errors), errors);
}

}  // namespace vipair::proxy
