#include "proxy/config_protection.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

const Mistake kMistakes[] = {
    {"allow_no_network", "", WITH_SITE("allow = [ \"10.0.0.0/8\", \"office\" ];"), "site.allow[1]",
     "is not a network"},
    {"deny_no_network", "deny = [ \"10.0.0.300\" ];", nullptr, "deny[0]", "is not a network"},
    {"rate_without_requests", "", WITH_SITE("rate_limit = { per = \"1s\"; };"), "site.rate_limit.requests",
     "is missing"},
    {"rate_of_nothing", "", WITH_SITE("rate_limit = { requests = 0; };"), "site.rate_limit.requests",
     "out of range"},
    {"rate_per_number", "", WITH_SITE("rate_limit = { requests = 1; per = 1; };"), "site.rate_limit.per",
     "expected"},
    {"rate_burst", "", WITH_SITE("rate_limit = { requests = 1; burst = 0; };"), "site.rate_limit.burst",
     "out of range"},
    {"rate_key", "", WITH_SITE("rate_limit = { requests = 1; key = \"cookie\"; };"), "site.rate_limit.key",
     "expected one of \"address\", \"all\""},
    {"rate_unknown", "", WITH_SITE("rate_limit = { requests = 1; brust = 2; };"), "site.rate_limit.brust", "burst"},
    {"connections_nothing", "", WITH_SITE("connection_limit = { };"), "site.connection_limit", "limits nothing"},
    {"connections_zero", "", WITH_SITE("connection_limit = { total = 0; };"), "site.connection_limit.total",
     "out of range"},
    {"auth_without_file", "", WITH_SITE("basic_auth = { realm = \"x\"; };"), "site.basic_auth.password_file",
     "is missing"},
    {"auth_absent_file", "", WITH_SITE("basic_auth = { password_file = \"absent\"; };"),
     "site.basic_auth.password_file", "No such file"},
    {"auth_off_with_file", "", WITH_SITE("basic_auth = { enabled = false; password_file = \"x\"; };"),
     "site.basic_auth.enabled", "nobody is asked for a password"},
    {"client_address_field", "client_address_field = \"X-Real-IP\";", nullptr, "client_address_field",
     "expected one of \"X-Forwarded-For\", \"Forwarded\""},
};

EXPECT_MISTAKES(ProtectionConfigMistake, kMistakes);

TEST(ProtectionConfig, IsReadAtEveryLevel) {
  auto config = parse(kListeners + "deny = [ \"192.0.2.66\" ]; connection_limit = { per_address = 20; };",
                      SITE(HOSTS, UPSTREAM,
                           "{ path = \"/\"; upstream = \"u\"; allow = [ ]; rate_limit = { requests = 5; per = "
                           "\"1m\"; burst = 2; key = "
                           "\"all\"; }; }",
                           "allow = [ \"10.0.0.0/8\", \"2001:db8::/32\" ]; rate_limit = ( { requests = 10; }, { "
                           "requests = 1000; per = "
                           "\"1h\"; } ); connection_limit = { total = 7; };"));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->protection.deny.size(), 1u);
  EXPECT_FALSE(config->protection.allow);
  EXPECT_EQ(config->protection.connection_limit, (ConnectionLimit{20, 0}));
  const Site& site = config->sites[0];
  EXPECT_EQ(site.protection.allow->size(), 2u);
  EXPECT_THAT(site.protection.rate_limits,
              ElementsAre(RateLimit{10, 1s, 10, true}, RateLimit{1000, 1h, 1000, true}));
  EXPECT_EQ(site.protection.connection_limit, (ConnectionLimit{0, 7}));
  const Route& route = site.routes[0];
  EXPECT_TRUE(route.protection.allow && route.protection.allow->empty()) << "nobody";
  EXPECT_THAT(route.protection.rate_limits, ElementsAre(RateLimit{5, 1min, 2, false}));
}

std::string site_with(const std::string& more, const std::string& route_more = "") {
  return "site = { hosts = [ \"a.example\" ]; upstreams = ( { name = \"u\"; servers = [ \"10.0.0.1:80\" ]; } ); "
         "routes = ( { path = \"/\"; upstream = \"u\"; " +
         route_more + " } ); " + more + " };\n";
}

TEST(ProtectionConfig, ReadsThePasswordFileAndKeepsPasswordsFromTheUpstream) {
  Folder folder;
  folder.write("users", "ann:$6$salt$hash\n");
  auto load = [&](const std::string& more, const std::string& route_more = "") {
    folder.write("proxy.conf", kListeners + site_with(more, route_more));
    auto config = folder.load();
    EXPECT_TRUE(config) << first_error(config);
    return std::move(config).value();
  };
  Config config = load("basic_auth = { realm = \"Staff\"; password_file = \"users\"; };");
  const BasicAuth& auth = *config.sites[0].protection.basic_auth;
  EXPECT_EQ(auth.realm, "Staff");
  EXPECT_EQ(auth.users.at("ann"), "$6$salt$hash");
  EXPECT_EQ(auth.password_file.path, folder.path("users"));
  EXPECT_THAT(config.sites[0].routes[0].request_headers.remove, ElementsAre("Authorization"));

  config = load("basic_auth = { password_file = \"users\"; forward = true; };");
  EXPECT_TRUE(config.sites[0].routes[0].request_headers.remove.empty());
  config = load("basic_auth = { password_file = \"users\"; };", "basic_auth = { enabled = false; };");
  EXPECT_TRUE(config.sites[0].routes[0].request_headers.remove.empty()) << "it is not ours here";
  config = load("basic_auth = { password_file = \"users\"; };",
                "request_headers = { set = ( [ \"Authorization\", \"Bearer x\" ] ); };");
  EXPECT_TRUE(config.sites[0].routes[0].request_headers.remove.empty()) << "the rule says what is sent";
}

TEST(ProtectionConfig, SaysWhereAPasswordFileIsWrongAndNotWhatStandsThere) {
  Folder folder;
  folder.write("users", "ann:$6$salt$hash\nbob:hunter2\n");
  folder.write("proxy.conf",
               kListeners + site_with("basic_auth = { realm = \"a\\\"b\"; password_file = \"users\"; };"));
  EXPECT_THAT(folder.errors(),
              ElementsAre(HasSubstr("site.basic_auth.realm: is shown to users"),
                          HasSubstr("site.basic_auth.password_file: users:2: the password is not hashed")));
  for (const std::string& error : folder.errors()) EXPECT_EQ(error.find("hunter2"), std::string::npos);
}

TEST(ProtectionConfig, TakesTenThousandNetworks) {
  std::string list;
  for (int i = 0; i < 10000; ++i)
    list += (i == 0 ? "\"" : ", \"") + std::string("10.") + std::to_string(i / 256) + "." +
            std::to_string(i % 256) + ".0/24\"";
  auto config = parse(kListeners + "deny = [ " + list + " ];");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->protection.deny.size(), 10000u);
}

}  // namespace
}  // namespace vipair::proxy
