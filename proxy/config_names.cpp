#include "proxy/config_names.h"

#include <algorithm>
#include <charconv>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t kDnsPort = 53;

// A name of the DNS in lower case and without a dot at its end.
std::optional<std::string> parse_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kHostNameMax || !consists_of(text, "-._")) return std::nullopt;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > kLabelMax || label.front() == '-' || label.back() == '-')
      return std::nullopt;
    rest.remove_prefix(std::min(label.size() + 1, rest.size()));
  }
  if (text.ends_with('.')) return std::nullopt;
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), http::to_lower);
  return name;
}

}  // namespace

std::optional<HostAndPort> parse_host_and_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto name = parse_name(text.substr(0, colon));
  // what looks like an address is a wrong one
  if (!name || name->find_first_not_of("0123456789.") == std::string::npos) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return HostAndPort{*name, port};
}

std::optional<std::string> read_service_name(ConfigGroup& group, const ConfigText& text) {
  auto name = parse_name(text.value);
  const bool is_service = name && name->front() == '_' && name->find("._tcp.") != std::string::npos;
  if (is_service) return name;
  group.error(text, in_quotes(text.value) +
                        " is not the name of a service, expected for example \"_http._tcp.app.internal\"");
  return std::nullopt;
}

ResolverSettings read_resolver(ConfigGroup& root) {
  ResolverSettings settings;
  auto group = root.group("resolver");
  if (!group) return settings;
  auto texts = group->texts("servers");
  if (check_count(*group, "servers", texts.size(), kNameServersMax)) {
    for (const ConfigText& text : texts) {
      const auto address = IpAddress::parse(text.value);
      const auto endpoint = address ? IpEndpoint{*address, kDnsPort} : IpEndpoint::parse(text.value);
      if (!endpoint || endpoint->port == 0 || endpoint->address.is_unspecified() ||
          endpoint->address.is_multicast()) {
        group->error(text, in_quotes(text.value) +
                               " is not the address of a name server, expected for example \"10.0.0.53\" or "
                               "\"10.0.0.53:5353\"");
      } else {
        settings.servers.push_back(*endpoint);
      }
    }
  }
  assign(settings.min_ttl, group->duration("min_ttl", 100ms, 24h));
  assign(settings.max_ttl, group->duration("max_ttl", 100ms, 168h));
  assign(settings.timeout, group->duration("timeout", 10ms, 1min));
  assign(settings.attempts, group->integer("attempts", 1, 10));
  if (settings.min_ttl > settings.max_ttl)
    group->error("min_ttl", "is longer than max_ttl, " + format_duration(settings.max_ttl));
  group->finish();
  return settings;
}

}  // namespace vipair::proxy
