// proxy.conf from anybody: the loader ends with a configuration that keeps its own promises, or with errors that
// say where. Files that name further files are left out: what is fuzzed is the text.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "common/base/assert.h"
#include "proxy/config.h"
#include "proxy/http/header_rules.h"

namespace {

using namespace vipair;

void check_rules(const proxy::HeaderRules& rules) {
  for (const auto& name : rules.remove) VIPAIR_ASSERT(http::HeaderRules::may_be_changed(name), "remove");
  for (const auto* list : {&rules.set, &rules.add}) {
    for (const auto& rule : *list) {
      VIPAIR_ASSERT(http::HeaderRules::may_be_changed(rule.name), "name");
      VIPAIR_ASSERT(http::Template::compile(rule.value).has_value(), "value");
    }
  }
}

void check(const proxy::Config& config) {
  VIPAIR_ASSERT(!config.listeners.empty(), "a listener");
  VIPAIR_ASSERT(!config.node.empty(), "a node");
  VIPAIR_ASSERT(!config.sites.empty(), "a site");
  VIPAIR_ASSERT(config.limits.request_target <= config.limits.request_head, "the target fits");
  VIPAIR_ASSERT(config.timeouts.connect.count() > 0 && config.timeouts.request_head.count() > 0, "timeouts");
  std::set<std::string> hosts;
  check_rules(config.response_headers);
  for (const proxy::Site& site : config.sites) {
    VIPAIR_ASSERT(!site.hosts.empty() && site.name == site.hosts.front(), "hosts");
    for (const std::string& host : site.hosts) VIPAIR_ASSERT(hosts.insert(host).second, "a host in one site only");
    for (const proxy::Upstream& upstream : site.upstreams) VIPAIR_ASSERT(!upstream.servers.empty(), "servers");
    check_rules(site.response_headers);
    for (const proxy::Route& route : site.routes) {
      VIPAIR_ASSERT(route.upstream < site.upstreams.size(), "the upstream exists");
      VIPAIR_ASSERT(!route.path.empty() && route.path.front() == '/', "a path");
      check_rules(route.request_headers);
      check_rules(route.response_headers);
    }
  }
}

}  // namespace

// libconfig forgets the text of a string that is never closed.
extern "C" const char* __lsan_default_suppressions() { return "leak:libconfig"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find("include") != std::string::npos || text.find("node_file") != std::string::npos) return 0;
  auto config = proxy::parse_config(text, "/nonexistent/proxy.conf");
  if (config) {
    check(*config);
    auto again = proxy::parse_config(text, "/nonexistent/proxy.conf");
    VIPAIR_ASSERT(again && *again == *config, "the same text means the same");
  } else {
    VIPAIR_ASSERT(!config.error().empty(), "a refusal has a reason");
    for (const ConfigError& error : config.error()) {
      VIPAIR_ASSERT(!error.file.empty() && !error.message.empty() && error.line >= 0, "a place and a reason");
      for (char c : error.to_string())
        VIPAIR_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an error is one printable line");
    }
  }
  return 0;
}
