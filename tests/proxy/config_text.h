#pragma once
// proxy.conf and its site files as texts: what the tests of the loader share.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy/config.h"

namespace vipair::proxy {

extern const std::string kSite;       // a good one
extern const std::string kListeners;  // 0.0.0.0:80

// A folder of configuration files that is gone after the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-config-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path_ = pattern;
    write("node.conf", "node = \"lb-a\";\n");
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  Folder& write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return *this;
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }
  Expected<Config, ConfigErrors> load() const { return load_config(path("proxy.conf")); }

  // "proxy.conf:1: listeners: …" with the folder's own path taken out.
  std::vector<std::string> errors() const {
    std::vector<std::string> texts;
    auto config = load();
    if (config) return texts;
    for (const ConfigError& error : config.error()) {
      std::string text = error.to_string();
      for (std::size_t at; (at = text.find(path_.string() + "/")) != std::string::npos;)
        text.erase(at, path_.string().size() + 1);
      texts.push_back(text);
    }
    return texts;
  }

 private:
  std::filesystem::path path_;
};

// proxy.conf with one site inside; `site` are further settings of that site, `top` of the file.
Expected<Config, ConfigErrors> parse(const std::string& top, const std::string& site = kSite);
std::string first_error(const Expected<Config, ConfigErrors>& config);

struct Mistake {
  const char* name;
  const char* top;   // of proxy.conf, beside a listener on 0.0.0.0:80
  const char* site;  // nullptr: a good one
  const char* setting;
  const char* message;  // part of it
};

inline void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

// The file has this one mistake, and it is reported once, where it stands.
void expect_only(const Mistake& mistake);

#define SITE(hosts, upstreams, routes, more) \
  "site = { hosts = [ " hosts " ]; upstreams = ( " upstreams " ); routes = ( " routes " ); " more " };"
#define HOSTS "\"a.example\""
#define UPSTREAM "{ name = \"u\"; servers = [ \"10.0.0.1:80\" ]; }"
#define ROUTE "{ path = \"/\"; upstream = \"u\"; }"
#define WITH_HOST(host) SITE("\"" host "\"", UPSTREAM, ROUTE, "")
#define WITH_SERVERS(servers) SITE(HOSTS, "{ name = \"u\"; servers = " servers "; }", ROUTE, "")
#define WITH_UPSTREAM(more) SITE(HOSTS, "{ name = \"u\"; servers = [ \"10.0.0.1:80\" ]; " more " }", ROUTE, "")
#define WITH_ROUTES(routes) SITE(HOSTS, UPSTREAM, routes, "")
#define WITH_SITE(more) SITE(HOSTS, UPSTREAM, ROUTE, more)
#define SET(name, value) "request_headers = { set = ( [ \"" name "\", \"" value "\" ] ); };"

// One test of a suite that is instantiated with a table of mistakes.
#define EXPECT_MISTAKES(Suite, table)                              \
  class Suite : public testing::TestWithParam<Mistake> {};         \
  TEST_P(Suite, IsTheOnlyOneReported) { expect_only(GetParam()); } \
  INSTANTIATE_TEST_SUITE_P(Table, Suite, testing::ValuesIn(table), \
                           [](const auto& mistake) { return std::string(mistake.param.name); })

}  // namespace vipair::proxy
