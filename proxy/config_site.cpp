#include "proxy/config_site.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/config_reader.h"
#include "proxy/config_tunnels.h"
#include "proxy/http/chars.h"
#include "proxy/http/host.h"

namespace vipair::proxy {

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

namespace {

class SiteReader {
 public:
  explicit SiteReader(SiteContext& context) : context_(context) {}

  Site read(ConfigGroup& group) {
    Site site;
    site.file = group.file();
    site.line = group.line();
    read_hosts(group, site);
    refuse_unsupported(group, {"cache"});
    read_site_tls(group, site.tls);
    site.request_body_max = context_.limits.request_body;
    if (auto limits = group.group("limits")) {
      read_body_limit(*limits, site.request_body_max);
      limits->finish();
    }
    site.error_pages = read_error_pages(group);
    site.protection = read_protection(group);
    HeaderRules request_headers =
        merge(context_.request_headers, read_header_rules(group, "request_headers", Direction::request));
    site.response_headers =
        merge(context_.response_headers, read_header_rules(group, "response_headers", Direction::response));
    site.compression = context_.compression;
    read_compression(group, site.compression);
    read_upstreams(group, site);
    read_upgrades(group, upgrades_);
    read_routes(group, site, request_headers);
    group.finish();
    return site;
  }

 private:
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
      auto [other, is_new] = context_.hosts.emplace(*host, text);
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
    auto groups = site_group.groups("upstreams");
    if (!check_count(site_group, "upstreams", groups.size(), kUpstreamsPerSiteMax)) return;
    for (ConfigGroup& group : groups) {
      Upstream upstream;
      if (auto name = group.require("name") ? group.text("name") : std::nullopt) {
        upstream.name = name->value;
        auto [other, is_new] = upstream_names_.emplace(name->value, Named{*name, site.upstreams.size()});
        if (!is_name(name->value)) {
          group.error(*name, in_quotes(name->value) + " is not a name, expected 1 to " + std::to_string(kNameMax) +
                                 " letters, digits, \"-\", \"_\" and \".\"");
        } else if (!is_new) {
          group.error(*name, in_quotes(name->value) + " is defined already, at " + place(other->second.text));
        }
      }
      read_upstream(group, context_.timeouts, upstream);
      group.finish();
      site.upstreams.push_back(std::move(upstream));
    }
  }

  void read_routes(ConfigGroup& site_group, Site& site, const HeaderRules& request_headers) {
    if (!site_group.require("routes")) return;
    auto groups = site_group.groups("routes");
    if (groups.empty())
      site_group.error("routes", "is empty, expected at least one { path = \"/\"; upstream = \"…\"; }");
    if (!check_count(site_group, "routes", groups.size(), kRoutesPerSiteMax)) return;
    std::map<std::pair<PathMatch, std::string>, ConfigText> taken;  // by a route without conditions
    for (ConfigGroup& group : groups) {
      Route route;
      std::optional<ConfigText> path;
      read_route(group, route, path);
      if (path) {
        auto other = taken.find({route.match, route.path});
        if (other != taken.end())
          group.error(*path, in_quotes(path->value) + " is routed already, at " + place(other->second));
        if (!route.is_conditional()) taken.emplace(std::pair(route.match, route.path), *path);
      }
      route.upgrades = upgrades_;
      read_upgrades(group, route.upgrades);
      read_target(group, route);
      route.request_headers =
          merge(request_headers, read_header_rules(group, "request_headers", Direction::request));
      route.response_headers =
          merge(site.response_headers, read_header_rules(group, "response_headers", Direction::response));
      keep_password_from_upstream(site, route);
      group.finish();
      site.routes.push_back(std::move(route));
    }
  }

  // The upstream, unless the route answers itself.
  void read_target(ConfigGroup& group, Route& route) {
    const int targets = (group.has("upstream") ? 1 : 0) + (route.redirect ? 1 : 0) + (route.respond ? 1 : 0);
    if (targets > 1) group.error("", "has several targets, expected one of upstream, redirect and respond");
    if (!route.needs_upstream()) return;
    auto name = group.require("upstream") ? group.text("upstream") : std::nullopt;
    if (!name) return;
    auto found = upstream_names_.find(name->value);
    if (found != upstream_names_.end()) {
      route.upstream = found->second.index;
    } else {
      group.error(*name, "this site has no upstream " + in_quotes(name->value) + ", " + known_upstreams());
    }
  }

  // A password that was asked for here is not meant for the servers behind us.
  void keep_password_from_upstream(const Site& site, Route& route) const {
    const std::optional<BasicAuth>& auth = route.protection.basic_auth  ? route.protection.basic_auth
                                           : site.protection.basic_auth ? site.protection.basic_auth
                                                                        : context_.protection.basic_auth;
    if (!auth || !auth->is_enabled || auth->is_forwarded) return;
    const auto& set = route.request_headers.set;
    const bool is_set = std::any_of(set.begin(), set.end(), [](const HeaderRule& rule) {
      return http::equal_ignoring_case(rule.name, "Authorization");
    });
    if (!is_set) route.request_headers.remove.push_back("Authorization");
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

  SiteContext& context_;
  std::vector<std::string> upgrades_ = Route().upgrades;  // of the site, unless a route says its own
  std::map<std::string, Named> upstream_names_;
};

}  // namespace

Site read_site(ConfigGroup& group, SiteContext& context) { return SiteReader(context).read(group); }

}  // namespace vipair::proxy
