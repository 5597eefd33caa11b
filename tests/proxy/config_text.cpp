#include "tests/proxy/config_text.h"

namespace vipair::proxy {

const std::string kSite = R"(
site = {
  hosts = [ "blog.example" ];
  upstreams = ( { name = "blog"; servers = [ "10.0.0.11:80" ]; } );
  routes = ( { path = "/"; upstream = "blog"; } );
};
)";
const std::string kListeners = "listeners = ( { address = \"0.0.0.0:80\"; } );\n";

Expected<Config, ConfigErrors> parse(const std::string& top, const std::string& site) {
  return parse_config("node_file = \"/dev/null\";\n" + top + site, "/etc/vipair/proxy.conf");
}

std::string first_error(const Expected<Config, ConfigErrors>& config) {
  return config ? "no error" : config.error().front().to_string();
}

void expect_only(const Mistake& mistake) {
  std::string top = mistake.top;
  if (top.find("listeners") == std::string::npos) top = kListeners + top;
  auto config = parse(top, mistake.site ? mistake.site : kSite);
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 1u) << config.error()[0].to_string() << "\n" << config.error()[1].to_string();
  EXPECT_EQ(config.error()[0].setting, mistake.setting);
  EXPECT_THAT(config.error()[0].message, testing::HasSubstr(mistake.message));
  EXPECT_EQ(config.error()[0].file, "/etc/vipair/proxy.conf");
  EXPECT_GT(config.error()[0].line, 0);
}

}  // namespace vipair::proxy
