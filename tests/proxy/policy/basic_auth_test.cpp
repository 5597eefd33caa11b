#include "proxy/policy/basic_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::policy {
namespace {

using testing::HasSubstr;

std::string parsed(std::string_view field) {
  auto credentials = parse_credentials(field);
  return credentials ? std::string(credentials->user()) + "|" + std::string(credentials->password()) : "-";
}

TEST(Credentials, AreReadAsRfc7617Says) {
  EXPECT_EQ(parsed("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Aladdin|open sesame");
  EXPECT_EQ(parsed("basic   YTpiOmM="), "a|b:c") << "the first colon separates";
  EXPECT_EQ(parsed("BASIC Og=="), "|");
  EXPECT_EQ(parsed("Basic YTpiYw=="), "a|bc");
  for (const char* field : {"", "Basic", "Basic ", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Basic YQ==", "Basic YTpiYx==", "Basic YTpi!w==",
                            "Basic YTpi=w==", "Basic YToKYg==", "Basic ====", "BasicYTpiYw=="})
    EXPECT_EQ(parsed(field), "-") << field;
  EXPECT_EQ(parsed("Basic " + std::string(kCredentialsMax * 2, 'A')), "-");
}

#define BCRYPT "$2y$05$abcdefghijklmnopqrstuuK1N3VbVvSbKzC8rF6Uu1xZ8yqgVvH2a"

std::string error_of(const std::string& text) {
  auto users = parse_password_file(text);
  return users ? "" : std::to_string(users.error().line) + ": " + users.error().message;
}

TEST(PasswordFile, HoldsUsersAndTheirHashes) {
  ASSERT_EQ(std::string_view(BCRYPT).size(), 60u);
  const char* const text =
      "# comment\n\nann:" BCRYPT "\r\nbob:$6$salt$hash\ncyd:$5$rounds=5000$s$h\ndan:$y$j9T$salt$hash";
  auto users = parse_password_file(text);
  ASSERT_TRUE(users) << users.error().message;
  EXPECT_EQ(users->size(), 4u);
  EXPECT_EQ(users->at("ann"), BCRYPT);
  EXPECT_TRUE(parse_password_file("")->empty());
}

TEST(PasswordFile, RefusesWhatProtectsNobody) {
  const std::string good = "ann:" BCRYPT "\n";
  EXPECT_THAT(error_of(good + "bob"), HasSubstr("2: expected \"name:hash\""));
  EXPECT_THAT(error_of(":x"), HasSubstr("expected \"name:hash\""));
  EXPECT_THAT(error_of("bob:secret"), HasSubstr("not hashed"));
  EXPECT_THAT(error_of("bob:$apr1$a$b"), HasSubstr("MD5"));
  EXPECT_THAT(error_of("bob:{SHA}aaaa"), HasSubstr("SHA-1"));
  EXPECT_THAT(error_of("bob:$2y$05$short"), HasSubstr("not a whole"));
  EXPECT_THAT(error_of("bob:$2y$31$abcdefghijklmnopqrstuuK1N3VbVvSbKzC8rF6Uu1xZ8yqgVvH2a"), HasSubstr("too long"));
  EXPECT_THAT(error_of("bob:$6$rounds=999999999$a$b"), HasSubstr("rounds"));
  EXPECT_THAT(error_of("bob:$6$salt"), HasSubstr("not a whole"));
  EXPECT_THAT(error_of(good + good), HasSubstr("2: this name stands here twice"));
  EXPECT_THAT(error_of("bob:$6$a$" + std::string(300, 'x')), HasSubstr("too long"));
  EXPECT_THAT(error_of("b\tob:$6$a$b\x01"), HasSubstr("character"));
  EXPECT_EQ(error_of("bob:secret").find("secret"), std::string::npos);
}

}  // namespace
}  // namespace vipair::policy
