#include "proxy/config_sticky.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

const std::string kKey(64, 'a'), kOtherKey(64, '0');

// proxy.conf of a folder with secrets beside it.
struct Sticking : Folder {
  Sticking() { write("key", kKey + "\n"); }
  Sticking& with(const std::string& settings) {
    write("proxy.conf",
          "listeners = ( { address = \"0.0.0.0:80\"; } );\n"
          "site = { hosts = [ \"a.example\" ]; routes = ( " ROUTE
          " ); upstreams = (\n"
          "{ name = \"u\"; servers = [ \"10.0.0.1:80\" ];\nsticky = { " +
              settings + " }; } ); };");
    return *this;
  }
  std::string error() const {
    const auto all = errors();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? "" : all.front();
  }
  std::optional<Sticky> sticky() const {
    auto config = load();
    EXPECT_TRUE(config) << first_error(config);
    return config ? config->sites[0].upstreams[0].sticky : std::nullopt;
  }
};

TEST(StickyConfig, NeedsASecretAndNothingElse) {
  const auto sticky = Sticking().with("secret_file = \"key\";").sticky();
  ASSERT_TRUE(sticky);
  ASSERT_EQ(sticky->keys.size(), 1u);
  EXPECT_EQ(sticky->keys[0][0], 0xaa);
  EXPECT_EQ(sticky->cookie, "");
  EXPECT_EQ(sticky->path, "/");
  EXPECT_TRUE(sticky->http_only);
  EXPECT_EQ(sticky->same_site, SameSite::lax);
  EXPECT_THAT(Sticking().with("").error(),
              testing::HasSubstr("sticky.secret_file: is missing: both nodes need the same secret"));
}

TEST(StickyConfig, TakesEverySetting) {
  Sticking folder;
  folder.write("key", kKey + "\n\n" + kOtherKey + "\n");
  const auto sticky = folder
                          .with(
                              "cookie = \"app\"; secret_file = \"key\"; path = \"/app\"; domain = \"example.com\"; "
                              "http_only = false; secure = true; same_site = \"none\"; max_age = \"1h\"; "
                              "drain = \"1m\";")
                          .sticky();
  ASSERT_TRUE(sticky);
  EXPECT_EQ(sticky->keys.size(), 2u);
  EXPECT_EQ(sticky->cookie, "app");
  EXPECT_EQ(sticky->path, "/app");
  EXPECT_EQ(sticky->domain, "example.com");
  EXPECT_FALSE(sticky->http_only);
  EXPECT_EQ(sticky->secure, true);
  EXPECT_EQ(sticky->same_site, SameSite::none);
  EXPECT_EQ(sticky->max_age, 1h);
  EXPECT_EQ(sticky->drain, 1min);
}

TEST(StickyConfig, ExplainsEveryMistake) {
  struct Case {
    const char* settings;
    const char* error;
  };
  const Case cases[] = {
      {"cookie = \"a b\"; secret_file = \"key\";", "is not the name of a cookie"},
      {"cookie = \"\"; secret_file = \"key\";", "is not the name of a cookie"},
      {"secret_file = \"gone\";", "cannot be read or is empty"},
      {"path = \"app\"; secret_file = \"key\";", "is not a cookie's path"},
      {"path = \"/;x\"; secret_file = \"key\";", "is not a cookie's path"},
      {"domain = \"a;b\"; secret_file = \"key\";", "is not a domain"},
      {"same_site = \"none\"; secret_file = \"key\";", "say secure = true as well"},
      {"same_site = \"some\"; secret_file = \"key\";", "lax"},
      {"max_age = \"0s\"; secret_file = \"key\";", "out of range"},
      {"age = \"1s\"; secret_file = \"key\";", "is not a known setting"},
  };
  for (const Case& c : cases) EXPECT_THAT(Sticking().with(c.settings).error(), testing::HasSubstr(c.error));
}

TEST(StickyConfig, NeverShowsASecret) {
  const std::string almost = "0123" + std::string(59, 'b');
  for (const std::string& content : {almost, almost + "xy", kKey + " ", std::string("# comment")}) {
    Sticking folder;
    folder.write("key", content + "\n");
    const std::string error = folder.with("secret_file = \"key\";").error();
    EXPECT_THAT(error, testing::HasSubstr("holds a line that is no key"));
    EXPECT_THAT(error, testing::Not(testing::HasSubstr("bbbb")));
  }
  Sticking folder;
  std::string many;
  for (int i = 0; i < 5; ++i) many += kKey + "\n";
  folder.write("key", many);
  EXPECT_THAT(folder.with("secret_file = \"key\";").error(), testing::HasSubstr("holds 5 keys, expected 1 to 4"));
}

}  // namespace
}  // namespace vipair::proxy
