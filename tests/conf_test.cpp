// Every file in conf/ is what it says: it loads, and the one that shows the defaults shows the true ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "proxy/config.h"
#include "vrrp/config.h"

namespace vipair {
namespace {

namespace fs = std::filesystem;

std::string errors_of(const ConfigErrors& errors) {
  std::string text;
  for (const ConfigError& error : errors) text += error.to_string() + "\n";
  return text;
}

// A copy of conf/ as it would be installed, with the secrets that the examples name.
class Conf : public testing::Test {
 protected:
  Conf() {
    std::string pattern = (fs::temp_directory_path() / "vipair-conf-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    root_ = pattern;
    fs::copy(fs::path(VIPAIR_SOURCE_DIR) / "conf", root_, fs::copy_options::recursive);
    std::vector<fs::path> folders = {root_, root_ / "examples"};
    for (const auto& guide : fs::directory_iterator(root_ / "examples" / "guides")) folders.push_back(guide.path());
    for (const fs::path& folder : folders) {
      fs::create_directories(folder / "secrets");
      std::ofstream(folder / "secrets" / "pair.key") << std::string(64, 'a') << "\n";
      std::ofstream(folder / "secrets" / "v2") << "password\n";
      std::ofstream(folder / "secrets" / "sticky.key") << std::string(64, 'b') << "\n";
      fs::create_directories(folder / "sites" / "secrets");
      std::ofstream(folder / "sites" / "secrets" / "staff") << "ann:$6$salt$hash\n";
      for (const char* secret : {"pair.key", "v2"})
        fs::permissions(folder / "secrets" / secret, fs::perms::owner_read | fs::perms::owner_write);
    }
  }
  ~Conf() override { fs::remove_all(root_); }

  std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(root_))
      if (entry.is_regular_file() && entry.path().parent_path().filename() != "secrets")
        files.push_back(entry.path());
    return files;
  }

  fs::path root_;
};

TEST_F(Conf, EveryFileLoads) {
  int nodes = 0, proxies = 0, sites = 0;
  for (const fs::path& file : files()) {
    const std::string name = file.filename();
    const std::string folder = file.parent_path().filename();
    if (name.rfind("node", 0) == 0) {
      auto config = vrrp::load_config(file);
      EXPECT_TRUE(config) << errors_of(config.error());
      ++nodes;
    } else if (folder == "sites.d" || folder == "sites") {
      auto config = proxy::parse_config(
          "listeners = ( { address = \"0.0.0.0:80\"; }, { address = \"0.0.0.0:443\"; tls = true; } );"
          "certificate = { certificate_file = \"x\"; key_file = \"x\"; }; include = \"" +
              file.string() + "\";",
          root_ / "alone.conf");
      EXPECT_TRUE(config) << errors_of(config.error());
      ++sites;
    } else if (name.rfind("proxy", 0) == 0) {
      auto config = proxy::load_config(file);
      EXPECT_TRUE(config) << errors_of(config.error());
      ++proxies;
    } else if (name != "keepalived.conf") {  // which import_test imports
      ADD_FAILURE() << file << ": no loader knows this file";
    }
  }
  EXPECT_GT(nodes, 0);
  EXPECT_GT(proxies, 1);
  EXPECT_GT(sites, 1);
}

// What the documents show in blocks of their own can be copied as it stands.
TEST_F(Conf, EveryFileInTheDocumentsLoads) {
  int nodes = 0, proxies = 0;
  for (const char* document : {"README.md", "packaging/doc/guides.md"}) {
    std::ifstream file(fs::path(VIPAIR_SOURCE_DIR) / document);
    bool is_block = false;
    std::string block;
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("```", 0) != 0) {
        if (is_block) block += line + "\n";
        continue;
      }
      is_block = !is_block;
      if (is_block) continue;
      if (block.find("virtual_routers = ") != std::string::npos) {
        auto config = vrrp::parse_config(block, root_ / "block.conf");
        EXPECT_TRUE(config) << document << "\n" << errors_of(config.error());
        ++nodes;
      } else if (block.rfind("listeners = ", 0) == 0 || block.rfind("site = ", 0) == 0) {
        const bool is_site = block.rfind("site = ", 0) == 0;
        const std::string rest = is_site ? "listeners = ( { address = \"0.0.0.0:80\"; } );" : "";
        auto config = proxy::parse_config(block + rest, root_ / "block.conf");
        EXPECT_TRUE(config) << document << "\n" << errors_of(config.error());
        ++proxies;
      }
      block.clear();
    }
  }
  EXPECT_GT(nodes, 0);
  EXPECT_GT(proxies, 1);
}

TEST_F(Conf, FullProxyFileShowsTheDefaults) {
  auto full = proxy::load_config(root_ / "examples" / "proxy-full.conf");
  auto smallest = proxy::load_config(root_ / "examples" / "proxy-one-file.conf");
  ASSERT_TRUE(full && smallest);
  EXPECT_EQ(full->workers, smallest->workers);
  EXPECT_EQ(full->limits, smallest->limits);
  EXPECT_EQ(full->timeouts, smallest->timeouts);
  EXPECT_EQ(full->resolver, smallest->resolver);
  EXPECT_EQ(full->control_socket, smallest->control_socket);
  EXPECT_EQ(full->gate_socket, smallest->gate_socket);
  EXPECT_EQ(full->trusted_proxies, smallest->trusted_proxies);
  EXPECT_EQ(full->client_address_field, smallest->client_address_field);
  EXPECT_EQ(full->protection, smallest->protection);
  EXPECT_EQ(full->compression, smallest->compression);
}

// Which settings a file names, also as comments.
std::set<std::string> settings_in(const fs::path& path) {
  std::set<std::string> named;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::size_t begin = std::min(line.find_first_not_of("# "), line.size());
    std::size_t end = std::min(line.find_first_of(" =", begin), line.size());
    if (line.find('=', end) != std::string::npos) named.insert(line.substr(begin, end - begin));
  }
  return named;
}

// Also the settings whose default is their absence stand in it, as comments.
TEST_F(Conf, FullProxyFileNamesEverySetting) {
  const auto named = settings_in(root_ / "examples" / "proxy-full.conf");
  for (const char* setting : {"workers",
                              "listeners",
                              "include",
                              "access_log",
                              "control_socket",
                              "gate_socket",
                              "admin",
                              "node_file",
                              "trusted_proxies",
                              "limits",
                              "request_head",
                              "request_target",
                              "request_fields",
                              "request_body",
                              "response_head",
                              "body_rate_min",
                              "connections",
                              "timeouts",
                              "keep_alive",
                              "body_idle",
                              "write_idle",
                              "connect",
                              "handover",
                              "stop",
                              "worker_hang",
                              "request_headers",
                              "response_headers",
                              "client_address_field",
                              "connections_per_address",
                              "allow",
                              "deny",
                              "rate_limit",
                              "connection_limit",
                              "basic_auth",
                              "error_pages",
                              "compression",
                              "enabled",
                              "gzip",
                              "brotli",
                              "length_min",
                              "types",
                              "response_rate_min",
                              "request",
                              "tunnel_idle",
                              "tunnel_drain",
                              "tcp",
                              "resolver",
                              "min_ttl",
                              "max_ttl",
                              "attempts"})
    EXPECT_TRUE(named.count(setting)) << setting;
}

TEST_F(Conf, FullNodeFileUsesEverySettingAndShowsTheDefaults) {
  auto full = vrrp::load_config(root_ / "examples" / "node-full.conf");
  auto smallest = vrrp::load_config(root_ / "node.conf");
  ASSERT_TRUE(full && smallest);
  EXPECT_EQ(full->control_socket, smallest->control_socket);
  EXPECT_EQ(full->gate_socket, smallest->gate_socket);
  EXPECT_EQ(full->realtime_priority, smallest->realtime_priority);
  EXPECT_EQ(full->lock_memory, smallest->lock_memory);
  EXPECT_EQ(full->hang_timeout, smallest->hang_timeout);
  EXPECT_EQ(full->drain_time, smallest->drain_time);
  EXPECT_EQ(full->upstream_delay, smallest->upstream_delay);
  EXPECT_EQ(full->notify.timeout, smallest->notify.timeout);
  const vrrp::VirtualRouterConfig& router = full->virtual_routers.at(0);
  EXPECT_EQ(router.advertisement_interval, smallest->virtual_routers.at(0).advertisement_interval);
  EXPECT_EQ(router.join_hold, smallest->virtual_routers.at(0).join_hold);
  for (const vrrp::CheckConfig& check : full->checks) EXPECT_FALSE(check.type.empty());
  std::set<std::size_t> kinds;
  for (const vrrp::CheckConfig& check : full->checks) kinds.insert(check.what.index());
  EXPECT_EQ(kinds.size(), std::variant_size_v<decltype(vrrp::CheckConfig::what)>);

  std::ifstream file(root_ / "examples" / "node-full.conf");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const char* setting : {"node",
                              "peer",
                              "address",
                              "address_ipv6",
                              "key_file",
                              "priority",
                              "paths",
                              "interface",
                              "virtual_routers",
                              "name",
                              "vrid",
                              "version",
                              "advertisement_interval",
                              "preempt",
                              "preempt_delay",
                              "join_hold",
                              "addresses",
                              "excluded_addresses",
                              "unicast",
                              "checksum",
                              "virtual_mac",
                              "accept",
                              "sync_group",
                              "track",
                              "track_proxy",
                              "upstream_weight",
                              "upstream_delay",
                              "authentication",
                              "password_file",
                              "checks",
                              "type",
                              "interval",
                              "timeout",
                              "rise",
                              "fall",
                              "weight",
                              "up_delay",
                              "down_delay",
                              "url",
                              "status",
                              "verify",
                              "ca_file",
                              "command",
                              "user",
                              "process",
                              "path",
                              "at_least",
                              "notify",
                              "notify_user",
                              "notify_timeout",
                              "notify_fifo",
                              "control_socket",
                              "gate_socket",
                              "realtime_priority",
                              "lock_memory",
                              "hang_timeout",
                              "drain_time"})
    EXPECT_NE(text.find(std::string(setting) + " = "), std::string::npos) << setting;
  EXPECT_NE(text.find("reverse"), std::string::npos);
}

}  // namespace
}  // namespace vipair
