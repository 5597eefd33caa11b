#include "vrrp/config_reader.h"

#include <cstdlib>

#include "config_text.h"

namespace vipair::vrrp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// ---- key files ----

class KeyFile : public SecretFiles {
 protected:
  static std::string with_key(const std::string& name) {
    return file_with(kAddresses, "peer = { address = \"192.0.2.12\"; key_file = \"" + name + "\"; };");
  }
};

TEST_F(KeyFile, HoldsKeysTheFirstOfWhichSigns) {
  write("pair.key", std::string(64, 'b') + "\n\n" + std::string(64, 'F') + "\n");
  auto config = load(with_key("pair.key"));
  ASSERT_TRUE(config);
  ASSERT_EQ(config->pair_keys.size(), 2u);
  EXPECT_EQ(config->pair_keys[0][31], 0xBB);
  EXPECT_EQ(config->pair_keys[1][0], 0xFF);
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST_F(KeyFile, OpenToOthersIsAWarning) {
  write("pair.key", std::string(64, 'a'), 0644);
  auto config = load(with_key("pair.key"));
  ASSERT_TRUE(config);
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("chmod 0600")));
}

TEST_F(KeyFile, WithBadContentIsRefusedByLine) {
  std::string many;
  for (char digit : std::string("123456789")) many.append(64, digit).append("\n");
  for (const auto& [keys, expected] : std::vector<std::pair<std::string, std::string>>{
           {"", "holds no key"},
           {"\n\n", "holds no key"},
           {std::string(64, 'a') + "\n" + std::string(63, 'a') + "\n", "pair.key\" line 2 is not a key"},
           {std::string(65, 'a'), "pair.key\" line 1 is not a key"},
           {std::string(63, 'a') + "g", "pair.key\" line 1 is not a key"},
           {std::string(64, 'a') + "\n" + std::string(64, 'A') + "\n", "pair.key\" line 2 repeats a key"},
           {many, "holds 9 keys: expected at most 8"},
           {std::string(kKeyFileSizeMax + 1, 'a'), "cannot hold a secret"}}) {
    write("pair.key", keys);
    EXPECT_THAT(errors(with_key("pair.key")), HasSubstr(expected));
    EXPECT_THAT(errors(with_key("pair.key")), Not(HasSubstr(std::string(63, 'a')))) << "secrets are not shown";
  }
}

TEST_F(KeyFile, ThatIsNoFileIsRefused) {
  EXPECT_THAT(errors(with_key("pair.key")), HasSubstr("cannot read"));
  EXPECT_THAT(errors(with_key(".")), HasSubstr("cannot hold a secret"));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(errors(with_key("pipe")), HasSubstr("cannot hold a secret"));
}

TEST_F(KeyFile, MayBeACredential) {
  std::filesystem::create_directory(folder_ / "credentials");
  write("credentials/pair", std::string(64, 'c'));
  ::setenv("CREDENTIALS_DIRECTORY", (folder_ / "credentials").c_str(), 1);
  auto config = load(with_key("pair"));
  ::unsetenv("CREDENTIALS_DIRECTORY");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pair_keys.at(0)[0], 0xCC);
  EXPECT_FALSE(load(with_key("pair"))) << "nowhere else";
}

TEST_F(KeyFile, WithAPathIsNoCredential) {
  write("pair.key", std::string(64, 'd'));
  std::filesystem::create_directory(folder_ / "credentials");
  write("credentials/pair.key", std::string(64, 'c'));
  ::setenv("CREDENTIALS_DIRECTORY", (folder_ / "credentials").c_str(), 1);
  auto config = load(with_key("./pair.key"));
  ::unsetenv("CREDENTIALS_DIRECTORY");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pair_keys.at(0)[0], 0xDD);
}

// ---- passwords ----

TEST_F(SecretFiles, APasswordIsOneLineOfEightBytes) {
  const std::string text =
      router("version = 2; authentication = { type = \"pass\"; password_file = \"password\"; };");
  for (const char* password : {"x", "12345678", "12345678\n", "two w\xC3\xB6s\n"}) {
    write("password", password);
    auto config = load(text);
    ASSERT_TRUE(config) << password;
    EXPECT_EQ(config->virtual_routers[0].password + "\n",
              std::string(password) + (std::string(password).ends_with('\n') ? "" : "\n"));
  }
  for (const char* password : {"", "\n", "123456789", "a\nb", "a\tb"}) {
    write("password", password);
    EXPECT_THAT(errors(text), HasSubstr("is not a password of VRRP version 2")) << password;
    EXPECT_THAT(errors(text), Not(HasSubstr("123456789")));
  }
}

}  // namespace
}  // namespace vipair::vrrp
