#include "proxy/config_tunnels.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "proxy/config_reader.h"
#include "proxy/config_site.h"
#include "proxy/http/chars.h"

namespace vipair::proxy {

namespace {

// A token, or two with a slash in between: "websocket", "IRC/6.9".
bool is_protocol(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return http::is_token(text);
  return http::is_token(text.substr(0, slash)) && http::is_token(text.substr(slash + 1));
}

}  // namespace

void read_upgrades(ConfigGroup& group, std::vector<std::string>& protocols) {
  if (!group.has("upgrades")) return;
  protocols.clear();
  const auto texts = group.texts("upgrades");
  if (!check_count(group, "upgrades", texts.size(), kUpgradesMax)) return;
  for (const ConfigText& text : texts) {
    // Inside such a tunnel requests would pass that nobody has looked at.
    const bool is_http = http::equal_ignoring_case(text.value, "h2c") ||
                         http::equal_ignoring_case(text.value, "h2") ||
                         http::equal_ignoring_case(text.value.substr(0, 5), "http/");
    if (text.value.size() > kNameMax || !is_protocol(text.value)) {
      group.error(text, in_quotes(text.value) + " is not a protocol's name, expected for example \"websocket\"");
    } else if (is_http) {
      group.error(text, in_quotes(text.value) + " would take requests past every rule of this proxy");
    } else {
      protocols.push_back(text.value);
    }
  }
}

bool read_proxy_protocol(ConfigGroup& listener, const std::vector<IpPrefix>& trusted_proxies) {
  const bool is_wanted = listener.boolean("proxy_protocol").value_or(false);
  if (is_wanted && trusted_proxies.empty()) {
    listener.error("proxy_protocol",
                   "needs trusted_proxies, whose headers are believed: nobody else could connect");
  }
  return is_wanted;
}

// ---- tcp -------------------------------------------------------------------------------------

namespace {

using namespace std::chrono_literals;

class TcpReader {
 public:
  TcpReader(ConfigGroup& group, TcpContext& context) : group_(group), context_(context) {}

  TcpService read() {
    read_name();
    read_addresses();
    read_upstreams();
    read_sni();
    read_default();
    service_.proxy_protocol = read_proxy_protocol(group_, context_.trusted_proxies);
    service_.idle_timeout = context_.timeouts.tunnel_idle;
    assign(service_.idle_timeout, group_.duration("idle_timeout", 10ms, 24h * 30));
    group_.finish();
    return std::move(service_);
  }

 private:
  void check_name(ConfigGroup& group, const ConfigText& name) {
    if (is_name(name.value)) return;
    group.error(name, in_quotes(name.value) + " is not a name, expected 1 to " + std::to_string(kNameMax) +
                          " letters, digits, \"-\", \"_\" and \".\"");
  }

  void read_name() {
    auto name = group_.require("name") ? group_.text("name") : std::nullopt;
    if (!name) return;
    service_.name = name->value;
    check_name(group_, *name);
    auto [other, is_new] = context_.names.emplace(name->value, *name);
    if (!is_new) group_.error(*name, in_quotes(name->value) + " is defined already, at " + place(other->second));
  }

  void read_addresses() {
    if (!group_.require("address")) return;
    const std::vector<ConfigText> texts = group_.texts("address");
    if (texts.empty()) group_.error("address", "is empty, expected at least one \"0.0.0.0:5432\"");
    if (!check_count(group_, "address", texts.size(), kTcpAddressesMax)) return;
    for (const ConfigText& text : texts) {
      auto endpoint = read_endpoint(group_, text, "0.0.0.0:5432");
      if (!endpoint) continue;
      auto [other, is_new] = context_.addresses.emplace(*endpoint, text);
      if (is_new) {
        service_.addresses.push_back(*endpoint);
      } else {
        group_.error(text, in_quotes(text.value) + " is listened on already, at " + place(other->second));
      }
    }
  }

  // Servers of its own, or several groups of them.
  void read_upstreams() {
    if (!group_.has("upstreams")) {
      service_.upstreams.emplace_back().name = service_.name;
      read_tcp_upstream(group_, service_.upstreams.back());
      return;
    }
    if (group_.has("servers")) group_.error("servers", "stands beside upstreams, expected one of them");
    auto groups = group_.groups("upstreams");
    if (groups.empty()) group_.error("upstreams", "is empty, expected at least one");
    if (!check_count(group_, "upstreams", groups.size(), kUpstreamsPerSiteMax)) return;
    for (ConfigGroup& group : groups) {
      Upstream& upstream = service_.upstreams.emplace_back();
      if (auto name = group.require("name") ? group.text("name") : std::nullopt) {
        check_name(group, *name);
        if (find(name->value)) group.error(*name, in_quotes(name->value) + " is defined already");
        upstream.name = name->value;
      }
      read_tcp_upstream(group, upstream);
      group.finish();
    }
  }

  void read_tcp_upstream(ConfigGroup& group, Upstream& upstream) {
    read_upstream(group, context_.timeouts, upstream);
    if (upstream.tls) group.error("tls", "has no use for tcp: what passes there is passed on as it is");
    if (upstream.sticky) group.error("sticky", "has no use for tcp: there are no cookies");
    if (upstream.protocol == UpstreamProtocol::h2)
      group.error("protocol", "has no use for tcp: it is the client's");
    if (upstream.balancing.hash_on.source != HashOn::Source::address)
      group.error("hash_on", "has no use for tcp but as \"address\": there is nothing else to go by");
  }

  std::optional<std::size_t> find(const std::string& name) const {
    for (std::size_t i = 0; i < service_.upstreams.size(); ++i) {
      if (service_.upstreams[i].name == name) return i;
    }
    return std::nullopt;
  }

  std::optional<std::size_t> read_choice(ConfigGroup& group) {
    auto name = group.text("upstream");
    if (!name) return std::nullopt;
    auto found = find(name->value);
    if (!found) group.error(*name, "this service has no upstream " + in_quotes(name->value));
    return found;
  }

  void read_sni() {
    auto groups = group_.groups("sni");
    if (!check_count(group_, "sni", groups.size(), kSniRulesMax)) return;
    std::map<std::string, ConfigText> seen;
    for (ConfigGroup& group : groups) {
      TcpService::Sni& sni = service_.sni.emplace_back();
      auto hosts = group.require("hosts") ? group.texts("hosts") : std::vector<ConfigText>();
      if (group.has("hosts") && hosts.empty()) group.error("hosts", "is empty, expected names of servers");
      if (!check_count(group, "hosts", hosts.size(), kSniRulesMax)) hosts.clear();
      for (const ConfigText& text : hosts) {
        auto host = parse_host_pattern(text.value);
        if (!host) {
          group.error(text, host.error());
        } else if (*host == "*") {
          group.error(text, "\"*\" is no name: `upstream` of the service takes what no name asks for");
        } else if (auto [other, is_new] = seen.emplace(*host, text); !is_new) {
          group.error(text, in_quotes(*host) + " is passed on already, at " + place(other->second));
        } else {
          sni.hosts.push_back(*host);
        }
      }
      if (group.require("upstream")) assign(sni.upstream, read_choice(group));
      group.finish();
    }
  }

  void read_default() {
    service_.upstream = read_choice(group_);
    if (group_.has("upstream") || !service_.sni.empty()) return;
    if (service_.upstreams.size() > 1) {
      group_.error("upstreams",
                   "there are several: `upstream` says which one takes the connections, or `sni` which "
                   "one takes which name");
    }
    service_.upstream = 0;
  }

  ConfigGroup& group_;
  TcpContext& context_;
  TcpService service_;
};

}  // namespace

bool read_tcp(ConfigGroup& file, TcpContext& context, std::vector<TcpService>& services) {
  if (!file.has("tcp")) return false;
  for (ConfigGroup& group : file.groups("tcp")) {
    if (services.size() == kTcpServicesMax) {
      group.error("name", "more than " + std::to_string(kTcpServicesMax) + " services");
      break;
    }
    services.push_back(TcpReader(group, context).read());
  }
  return true;
}

}  // namespace vipair::proxy
