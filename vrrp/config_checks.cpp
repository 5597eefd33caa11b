#include "vrrp/config_checks.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "vrrp/config_reader.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

constexpr Duration kCheckIntervalMin = 10ms, kCheckIntervalMax = 1h;
constexpr int kRiseFallMax = 1000;
constexpr std::size_t kHostMax = 253;
constexpr int kStatusMin = 100, kStatusMax = 599;

// ---- texts ----

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= kHostMax && text.front() != '-' && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c < 0x80 && std::isalnum(c)) || c == '-' || c == '.' || c == '_';
         });
}

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

// "host", "host:80", "[2001:db8::1]:80"; without a port the default, if there is one.
std::optional<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
  HostPort result{"", default_port};
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    result.host = text.substr(1, end - 1);
    const auto address = IpAddress::parse(result.host);
    if (!address || !address->is_v6()) return std::nullopt;
    text.remove_prefix(end + 1);
  } else {
    result.host = text.substr(0, text.find(':'));
    // what consists of digits and dots is an address or a mistake
    const bool is_numeric = result.host.find_first_not_of("0123456789.") == std::string::npos;
    if (is_numeric ? !IpAddress::parse(result.host) : !is_host_name(result.host)) return std::nullopt;
    text.remove_prefix(result.host.size());
  }
  if (!text.empty()) {
    if (text.front() != ':') return std::nullopt;
    text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result.port);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  }
  if (result.port == 0) return std::nullopt;
  return result;
}

// "200" or "200-399"
bool parse_status(std::string_view text, HttpCheck& check) {
  const char* end = text.data() + text.size();
  int min = 0;
  auto [at, error] = std::from_chars(text.data(), end, min);
  if (error != std::errc{}) return false;
  int max = min;
  if (at != end) {
    if (*at != '-') return false;
    const auto [rest, second] = std::from_chars(at + 1, end, max);
    if (second != std::errc{} || rest != end) return false;
  }
  if (min < kStatusMin || max > kStatusMax || min > max) return false;
  check.status_min = min;
  check.status_max = max;
  return true;
}

// ---- kinds ----

enum Repeats { no, yes, searches };  // searches: told by events where it can be, looked for at intervals as well

struct Kind;
using Load = void (*)(ConfigGroup& group, const Kind& kind, CheckConfig& check, Config& config);
struct Kind {
  const char* type;
  Repeats repeats;
  std::vector<std::string_view> settings;  // its own, besides those of every check
  Load load;
};

void load_neighbour(ConfigGroup& group, const Kind&, CheckConfig& check, Config&) {
  NeighbourCheck what;
  if (group.require("address"))
    what.address = unicast_setting(group, "address", "the neighbour's address").value_or(what.address);
  if (auto interface = interface_setting(group, "interface")) what.interface = interface->value;
  if (what.address.is_v6() && what.address.is_link_local() && !group.has("interface"))
    group.error("address", "is a link-local address: add the interface where that neighbour is");
  check.what = what;
}

void load_ping(ConfigGroup& group, const Kind&, CheckConfig& check, Config&) {
  PingCheck what;
  if (group.require("address"))
    what.address = unicast_setting(group, "address", "the address that answers").value_or(what.address);
  if (auto interface = interface_setting(group, "interface")) what.interface = interface->value;
  if (what.address.is_v6() && what.address.is_link_local() && !group.has("interface"))
    group.error("address", "is a link-local address: add the interface where it is");
  check.what = what;
}

void load_interface(ConfigGroup& group, const Kind&, CheckConfig& check, Config&) {
  InterfaceCheck what;
  if (group.require("interface")) {
    if (auto interface = interface_setting(group, "interface")) what.interface = interface->value;
  }
  what.up_delay = group.duration("up_delay", 0s, kCheckIntervalMax).value_or(what.up_delay);
  what.down_delay = group.duration("down_delay", 0s, kCheckIntervalMax).value_or(what.down_delay);
  check.what = what;
}

void load_http(ConfigGroup& group, const Kind& kind, CheckConfig& check, Config& config) {
  const bool is_tls = kind.type == std::string_view("https");
  HttpCheck what;
  if (group.require("url")) {
    if (auto url = group.text("url")) {
      if (auto parsed = parse_url(url->value, is_tls)) {
        what = *parsed;
      } else {
        const std::string scheme = kind.type;
        group.error(*url, quoted(url->value) + " is not a plain URL of a check of type \"" + scheme +
                              "\": expected one such as \"" + scheme +
                              "://127.0.0.1:8080/health\", without user, "
                              "password and fragment");
      }
    }
  }
  if (auto status = group.text("status"); status && !parse_status(status->value, what))
    group.error(*status, quoted(status->value) +
                             " is not a range of status codes: expected one such as \"200-399\" "
                             "or \"200\", within 100 to 599");
  if (is_tls) {
    what.verify = group.boolean("verify").value_or(what.verify);
    if (auto path = path_setting(group, "ca_file")) {
      what.ca_file = *path;
      if (!what.verify) group.error("ca_file", "has no effect with verify = false: remove one of the two");
      if (::access(path->c_str(), R_OK) != 0)
        config.warnings.push_back(group.setting() + ".ca_file: " + quoted(*path) + " cannot be read");
    }
  }
  check.what = what;
}

void load_tcp(ConfigGroup& group, const Kind&, CheckConfig& check, Config&) {
  TcpCheck what;
  if (group.require("address")) {
    if (auto address = group.text("address")) {
      if (auto parsed = parse_host_port(address->value, 0)) {
        what = {parsed->host, parsed->port};
      } else {
        group.error(*address, quoted(address->value) +
                                  " is not an address and port: expected one such as \"127.0.0.1:5432\" or "
                                  "\"[2001:db8::1]:5432\"");
      }
    }
  }
  check.what = what;
}

void load_script(ConfigGroup& group, const Kind&, CheckConfig& check, Config& config) {
  ScriptCheck what;
  if (group.require("command")) what.command = command_setting(group, "command", config);
  what.user = user_setting(group, "user", kCheckUser, config);
  check.what = what;
}

void load_process(ConfigGroup& group, const Kind&, CheckConfig& check, Config&) {
  ProcessCheck what;
  if (group.require("process")) {
    if (auto process = group.text("process")) {
      what.process = process->value;
      const bool is_file_name = !what.process.empty() && what.process.size() <= kProcessNameMax &&
                                std::none_of(what.process.begin(), what.process.end(),
                                             [](unsigned char c) { return c == '/' || c < 0x20 || c == 0x7F; });
      if (!is_file_name)
        group.error(*process, quoted(what.process) +
                                  " is not the name of a process: expected the program's file name without its "
                                  "folder, such as \"chronyd\"");
    }
  }
  check.what = what;
}

void load_file(ConfigGroup& group, const Kind&, CheckConfig& check, Config&) {
  FileCheck what;
  if (group.require("path")) what.path = path_setting(group, "path").value_or("");
  check.what = what;
}

// The names it combines are looked at when all of them are known.
void load_combined(ConfigGroup& group, const Kind& kind, CheckConfig& check, Config&) {
  CombinedCheck what;
  group.require("checks");
  const auto texts = group.texts("checks");
  if (group.has("checks") && texts.empty())
    group.error("checks", "is empty: expected the names of the checks that are combined");
  const auto count = static_cast<int>(texts.size());
  const std::string_view type = kind.type;
  if (type == "all") what.at_least = count;
  if (type == "at_least" && group.require("at_least"))
    what.at_least = static_cast<int>(group.integer("at_least", 1, std::max(count, 1)).value_or(1));
  check.what = what;
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"neighbour", yes, {"address", "interface"}, load_neighbour},
      {"ping", yes, {"address", "interface"}, load_ping},
      {"interface", no, {"interface", "up_delay", "down_delay"}, load_interface},
      {"http", yes, {"url", "status"}, load_http},
      {"https", yes, {"url", "status", "verify", "ca_file"}, load_http},
      {"tcp", yes, {"address"}, load_tcp},
      {"script", yes, {"command", "user"}, load_script},
      {"process", searches, {"process"}, load_process},
      {"file", searches, {"path"}, load_file},
      {"any", no, {"checks"}, load_combined},
      {"all", no, {"checks"}, load_combined},
      {"at_least", no, {"checks", "at_least"}, load_combined},
  };
  return all;
}

// Settings of other kinds, which exist but not here.
void refuse_others(ConfigGroup& group, const Kind& kind) {
  auto has = [](const Kind& some, std::string_view key) {
    if (key == "interval") return some.repeats != no;
    if (key == "rise" || key == "fall" || key == "timeout") return some.repeats == yes;
    return std::find(some.settings.begin(), some.settings.end(), key) != some.settings.end();
  };
  std::vector<std::string_view> keys = {"interval", "timeout", "rise", "fall"};
  for (const Kind& other : kinds()) keys.insert(keys.end(), other.settings.begin(), other.settings.end());
  for (std::string_view key : keys) {
    if (has(kind, key) || !group.has(key)) continue;
    std::string own = "name, type, weight, reverse";
    for (std::string_view each : {"interval", "timeout", "rise", "fall"})
      if (has(kind, each)) own += ", " + std::string(each);
    for (std::string_view each : kind.settings) own += ", " + std::string(each);
    group.error(key, std::string("is no setting of a check of type \"") + kind.type + "\", which has " + own);
  }
}

void load_repetition(ConfigGroup& group, const Kind& kind, CheckConfig& check) {
  if (kind.repeats != yes) check.rise = check.fall = 1;  // an event is certain, and happens once
  if (kind.repeats == no) return;
  check.interval = group.duration("interval", kCheckIntervalMin, kCheckIntervalMax).value_or(check.interval);
  if (kind.repeats == searches) return;
  const Duration usual = std::min(check.interval, check.timeout);
  check.timeout = group.duration("timeout", kCheckIntervalMin, kCheckIntervalMax).value_or(usual);
  check.rise = static_cast<int>(group.integer("rise", 1, kRiseFallMax).value_or(check.rise));
  check.fall = static_cast<int>(group.integer("fall", 1, kRiseFallMax).value_or(check.fall));
}

void load_check(ConfigGroup group, Config& config, std::map<std::string, ConfigText>& seen) {
  CheckConfig check;
  if (group.require("name")) {
    if (auto name = name_setting(group, "name")) {
      check.name = name->value;
      auto [first, is_new] = seen.try_emplace(check.name, *name);
      if (!is_new) group.error(*name, quoted(check.name) + " is used twice: first at " + place(first->second));
      if (check.name == "proxy")
        group.error(*name,
                    "\"proxy\" is what vipair-proxyd reports, tracked unless track_proxy = false: expected "
                    "another name");
      if (check.name == kUpstreamsCheck)
        group.error(*name,
                    "\"upstreams\" is what vipair-proxyd reports of its servers, see upstream_weight: expected "
                    "another name");
    }
  }
  std::vector<std::string_view> types;
  for (const Kind& kind : kinds()) types.emplace_back(kind.type);
  const auto type = group.require("type") ? group.choice("type", types) : std::nullopt;
  if (auto weight = group.integer("weight", 1, kWeightMax)) check.weight = static_cast<int>(*weight);
  check.reverse = group.boolean("reverse").value_or(false);
  if (type) {
    const Kind& kind = kinds()[*type];
    check.type = kind.type;
    load_repetition(group, kind, check);
    kind.load(group, kind, check, config);
    refuse_others(group, kind);
    group.finish();
  }
  config.checks.push_back(std::move(check));
}

// ---- combinations ----

const CombinedCheck* combined(const CheckConfig& check) { return std::get_if<CombinedCheck>(&check.what); }

// Follows the combinations from `from` on, depth first; true when one of them leads back to a name on the way.
// `way` then ends with the circle. `done` keeps the names that lead to none.
bool finds_circle(const std::map<std::string, const CheckConfig*>& by_name, const std::string& from,
                  std::vector<std::string>& way, std::vector<std::string>& done) {
  if (std::find(done.begin(), done.end(), from) != done.end()) return false;
  const bool is_on_the_way = std::find(way.begin(), way.end(), from) != way.end();
  way.push_back(from);
  if (is_on_the_way) return true;
  const auto found = by_name.find(from);
  if (found != by_name.end()) {
    if (const CombinedCheck* what = combined(*found->second))
      for (const std::string& next : what->checks)
        if (finds_circle(by_name, next, way, done)) return true;
  }
  way.pop_back();
  done.push_back(from);
  return false;
}

void refuse_circles(std::vector<ConfigGroup>& groups, const Config& config) {
  std::map<std::string, const CheckConfig*> by_name;
  for (const CheckConfig& check : config.checks) by_name.emplace(check.name, &check);
  std::vector<std::string> done;
  for (std::size_t i = 0; i < config.checks.size(); ++i) {
    std::vector<std::string> way;
    if (!finds_circle(by_name, config.checks[i].name, way, done)) continue;
    std::string text;
    for (auto name = std::find(way.begin(), way.end(), way.back()); name != way.end(); ++name)
      text += (text.empty() ? "" : " → ") + *name;
    groups[i].error("checks", "the checks combine each other in a circle: " + text);
    return;  // one at a time: the others may be the same
  }
}

}  // namespace

std::optional<HttpCheck> parse_url(std::string_view url, bool is_tls) {
  const std::string_view scheme = is_tls ? "https://" : "http://";
  const bool is_printable = std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (url.size() > kUrlMax || !is_printable || !url.starts_with(scheme)) return std::nullopt;
  url.remove_prefix(scheme.size());
  const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
  const std::string_view target = url.substr(end);
  if (target.find_first_of("#\"<>\\^`{|}") != std::string_view::npos) return std::nullopt;
  const auto host = parse_host_port(url.substr(0, end), is_tls ? 443 : 80);
  if (!host) return std::nullopt;
  HttpCheck check;
  check.is_tls = is_tls;
  check.host = host->host;
  check.port = host->port;
  check.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return check;
}

std::vector<std::string> check_names(ConfigGroup& group, const std::vector<ConfigText>& texts,
                                     const Config& config) {
  std::vector<std::string_view> known;
  for (const CheckConfig& check : config.checks)
    if (!check.name.empty()) known.push_back(check.name);
  std::vector<std::string> names;
  for (const ConfigText& text : texts) {
    if (text.value == "proxy") {
      group.error(text, "\"proxy\" is no check of this list: track_proxy says whether it counts");
    } else if (text.value == kUpstreamsCheck) {
      group.error(text, "\"upstreams\" is no check of this list: upstream_weight says how much it counts");
    } else if (std::find(known.begin(), known.end(), text.value) == known.end()) {
      const auto meant = nearest(text.value, known);
      group.error(text, "there is no check " + quoted(text.value) +
                            (meant ? ", did you mean " + quoted(*meant) + "?" : " in checks"));
    } else if (std::find(names.begin(), names.end(), text.value) != names.end()) {
      group.error(text, quoted(text.value) + " is listed twice");
    } else {
      names.push_back(text.value);
    }
  }
  return names;
}

void load_checks(ConfigGroup& root, Config& config) {
  auto groups = root.groups("checks");
  if (groups.size() > kChecksMax)
    root.error("checks", std::to_string(groups.size()) + " checks: expected at most " + std::to_string(kChecksMax));
  std::map<std::string, ConfigText> seen;
  for (ConfigGroup& group : groups) load_check(group, config, seen);
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (auto* what = std::get_if<CombinedCheck>(&config.checks[i].what))
      what->checks = check_names(groups[i], groups[i].texts("checks"), config);
  refuse_circles(groups, config);
}

}  // namespace vipair::vrrp
