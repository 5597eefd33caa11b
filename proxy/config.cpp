#include "proxy/config.h"

#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "proxy/config_files.h"
#include "proxy/config_reader.h"

namespace vipair::proxy {
namespace {

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
    read_trusted_proxies(root);
    read_listeners(root);
    read_limits(root, config_.limits);
    read_timeouts(root, config_.timeouts);
    read_access_log(root, config_.access_log);
    config_.resolver = read_resolver(root);
    read_sockets(root);
    config_.protection = read_protection(root);
    config_.error_pages = read_error_pages(root);
    refuse_unsupported(root, {"cache"});
    read_tls(root, config_.tls);
    config_.certificates = read_certificates(root);
    request_headers_ = read_header_rules(root, "request_headers", Direction::request);
    config_.response_headers = read_header_rules(root, "response_headers", Direction::response);
    read_compression(root, config_.compression);
    read_sites(root);
    read_tcp(root, tcp_context_, config_.tcp);
    read_includes(root);
    check_tls(root);
    if (config_.tcp.empty() || !config_.sites.empty()) root.require("listeners");
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
    if (!root.has("listeners")) return;
    auto groups = root.groups("listeners");
    if (!check_count(root, "listeners", groups.size(), kListenersMax)) return;
    if (groups.empty()) root.error("listeners", "is empty, expected at least one { address = \"0.0.0.0:80\"; }");
    for (ConfigGroup& group : groups) {
      auto text = group.require("address") ? group.text("address") : std::nullopt;
      auto endpoint = text ? read_endpoint(group, *text, "0.0.0.0:80") : std::nullopt;
      Listener listener;
      listener.tls = group.boolean("tls").value_or(false);
      listener.http2 = group.boolean("http2").value_or(listener.tls);
      listener.proxy_protocol = read_proxy_protocol(group, config_.trusted_proxies);
      group.finish();
      if (!endpoint) continue;
      auto [other, is_new] = addresses_.emplace(*endpoint, *text);
      if (!is_new) {
        group.error(*text, in_quotes(text->value) + " is listened on already, at " + place(other->second));
        continue;
      }
      listener.address = *endpoint;
      config_.listeners.push_back(listener);
    }
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
    config_.trusted_proxies = read_networks(root, "trusted_proxies", kTrustedProxiesMax);
    if (auto field = root.choice("client_address_field", {"X-Forwarded-For", "Forwarded"}))
      config_.client_address_field = static_cast<http::ClientAddressField>(*field);
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
        const bool has_sites = read_sites(group);
        const bool has_tcp = read_tcp(group, tcp_context_, config_.tcp);
        if (!has_sites && !has_tcp) {
          group.error("", "holds no site, expected `site = { … };`, `sites = ( … );` or `tcp = ( … );`");
        }
        group.finish();
      }
    }
    if (config_.sites.empty() && config_.tcp.empty() && errors_.empty())
      root.error("include", "there is no site: nothing would be served");
  }

  void check_tls(ConfigGroup& root) {
    const bool is_spoken = std::any_of(config_.listeners.begin(), config_.listeners.end(),
                                       [](const Listener& listener) { return listener.tls; });
    bool has_certificate = !config_.certificates.empty();
    for (const Site& site : config_.sites) {
      has_certificate |= !site.tls.certificates.empty();
      const bool is_wanted = site.tls.https == HttpsMode::redirect || site.tls.https == HttpsMode::only;
      if (is_wanted && !is_spoken) {
        errors_.push_back({site.file, site.line, "site.https",
                           "no listener speaks TLS, expected one { address = \"0.0.0.0:443\"; tls = true; }"});
      }
    }
    if (is_spoken && !has_certificate && errors_.empty()) {
      root.error("listeners",
                 "one speaks TLS, but there is no certificate, expected certificate = { certificate_file = \"…\"; "
                 "key_file = \"…\"; } here or in a site");
    }
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
        config_.sites.push_back(read_site(group, site_context_));
      }
    }
    return speaks_of_sites;
  }

  ConfigErrors& errors_;
  Config config_;
  HeaderRules request_headers_;                 // of the proxy level
  std::map<IpEndpoint, ConfigText> addresses_;  // of all listeners
  TcpContext tcp_context_{config_.timeouts, config_.trusted_proxies, addresses_, {}};
  SiteContext site_context_{config_.limits,
                            config_.timeouts,
                            request_headers_,
                            config_.response_headers,
                            config_.protection,
                            config_.compression,
                            {}};
};

Expected<Config, ConfigErrors> load(std::optional<ConfigFile> file, ConfigErrors& errors) {
  if (!file) return Unexpected{std::move(errors)};
  Config config = Loader(errors).load(file->root());
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return config;
}

}  // namespace

std::vector<std::string> files_of(const Config& config) {
  std::set<std::string> paths;
  auto add = [&](const FileSetting& file) {
    if (file) paths.insert(file.path);
  };
  auto add_certificates = [&](const std::vector<CertificateFiles>& all) {
    for (const CertificateFiles& files : all) {
      add(files.certificate);
      add(files.key);
      add(files.ocsp);
    }
  };
  add(config.tls.ticket_keys);
  add_certificates(config.certificates);
  for (const Site& site : config.sites) {
    add_certificates(site.tls.certificates);
    add(site.tls.clients.ca);
    add(site.tls.clients.crl);
    for (const Upstream& upstream : site.upstreams) {
      if (!upstream.tls) continue;
      add(upstream.tls->ca);
      add(upstream.tls->certificate);
      add(upstream.tls->key);
    }
  }
  for (std::string& path : content_files(config)) paths.insert(std::move(path));
  return {paths.begin(), paths.end()};
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
