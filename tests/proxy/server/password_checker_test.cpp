#include "proxy/server/password_checker.h"

#include <gtest/gtest.h>

#include <future>

namespace vipair::proxy {
namespace {

// "secret", made with htpasswd and openssl passwd
constexpr const char* kBcrypt = "$2y$04$7vRi97Per1k8irpv46VOMO1zoRN0bI4.VoxcQedp6/xjjmpTOxIcK";
constexpr const char* kSha512 =
    "$6$abc$IdWKNKTJEb8LxY7CGg8YBXlvtfZzFw7Mp/r6niK9YB2mdvgY..TKjv1T..8RadRt2qvUHYRLr/TsVArtr91iR1";

bool check(PasswordChecker& checker, std::string_view user, std::string_view password, std::string_view hash) {
  std::promise<bool> result;
  if (!checker.check(user, password, hash, [&](bool is_right) { result.set_value(is_right); })) return false;
  return result.get_future().get();
}

TEST(PasswordChecker, KnowsTheUsualHashes) {
  PasswordChecker checker;
  EXPECT_TRUE(check(checker, "ann", "secret", kBcrypt));
  EXPECT_FALSE(check(checker, "ann", "Secret", kBcrypt));
  EXPECT_TRUE(check(checker, "bob", "secret", kSha512));
  EXPECT_FALSE(check(checker, "bob", "", kSha512));
  EXPECT_FALSE(check(checker, "bob", "secret", "$6$abc$"));
  EXPECT_FALSE(check(checker, "bob", "secret", "nonsense"));
  EXPECT_FALSE(check(checker, "nobody", "secret", "")) << "a user who does not exist";
}

TEST(PasswordChecker, RemembersWhatWasRightAndNothingElse) {
  PasswordChecker checker;
  EXPECT_FALSE(checker.remembers("ann", "secret", kBcrypt));
  EXPECT_TRUE(check(checker, "ann", "secret", kBcrypt));
  EXPECT_TRUE(checker.remembers("ann", "secret", kBcrypt));
  EXPECT_FALSE(checker.remembers("ann", "secret", kSha512)) << "the hash was changed";
  EXPECT_FALSE(checker.remembers("bob", "secret", kBcrypt));
  EXPECT_FALSE(check(checker, "ann", "wrong", kBcrypt));
  EXPECT_FALSE(checker.remembers("ann", "wrong", kBcrypt));
  EXPECT_FALSE(checker.remembers("ann", std::string(2000, 'x'), kBcrypt));
  EXPECT_FALSE(PasswordChecker().remembers("ann", "secret", kBcrypt)) << "each has its own key";
}

TEST(PasswordChecker, TakesNoMoreThanItCanBear) {
  PasswordChecker checker;
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  ASSERT_TRUE(checker.check("a", "x", "nonsense", [gone](bool) { gone.wait(); }));
  int queued = 0;
  for (int i = 0; i < 200; ++i) queued += checker.check("a", "x", "nonsense", [](bool) {}) ? 1 : 0;
  EXPECT_GE(queued, static_cast<int>(PasswordChecker::kQueueMax) - 1);
  EXPECT_LE(queued, static_cast<int>(PasswordChecker::kQueueMax) + 1);
  go.set_value();
  checker.stop();
  EXPECT_FALSE(checker.check("a", "x", "nonsense", [](bool) {}));
}

}  // namespace
}  // namespace vipair::proxy
