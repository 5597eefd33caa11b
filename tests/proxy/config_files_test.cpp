#include "proxy/config_files.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ConfigFiles, AreReadAgainWithoutTheConfiguration) {
  Folder folder;
  const std::string key(64, 'a'), next_key(64, 'b');
  folder.write("users", "ann:$6$salt$hash\n").write("sorry.html", "sorry").write("secret", key + "\n");
  folder.write("proxy.conf", kListeners + R"(
    error_pages = ( { status = 502; file = "sorry.html"; } );
    site = { hosts = [ "a.example" ]; upstreams = ( { name = "u"; servers = [ "10.0.0.1:80" ];
                             sticky = { secret_file = "secret"; }; } );
             error_pages = ( { status = 503; file = "sorry.html"; } );
             routes = ( { path = "/"; upstream = "u"; basic_auth = { password_file = "users"; }; } ); };
  )");
  auto config = folder.load();
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_THAT(content_files(*config),
              ElementsAre(folder.path("secret"), folder.path("sorry.html"), folder.path("users")));

  folder.write("users", "bob:$6$salt$hash\n")
      .write("sorry.html", "very sorry")
      .write("secret", next_key + "\n" + key + "\n");
  auto again = with_files_read_again(*config);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->sites[0].routes[0].protection.basic_auth->users.contains("bob"));
  EXPECT_EQ(again->error_pages[0].content, "very sorry");
  EXPECT_EQ(again->sites[0].error_pages[0].content, "very sorry");
  const Sticky& sticky = *again->sites[0].upstreams[0].sticky;
  ASSERT_EQ(sticky.keys.size(), 2u);
  EXPECT_EQ(sticky.keys[0][0], 0xbb);

  folder.write("users", "bob:plain\n");
  again = with_files_read_again(*config);
  ASSERT_FALSE(again);
  ASSERT_EQ(again.error().size(), 1u);
  EXPECT_THAT(again.error()[0].to_string(), HasSubstr("proxy.conf:7: site.routes[0].basic_auth.password_file: " +
                                                      folder.path("users") + ":1: the password is not hashed"));
}

}  // namespace
}  // namespace vipair::proxy
