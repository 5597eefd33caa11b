#include "proxy/policy/refusal.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "proxy/http/pages.h"

namespace vipair::policy {
namespace {

TEST(Refusal, EachHasANameAStatusAndAPage) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kRefusals; ++i) {
    const auto refusal = static_cast<Refusal>(i);
    EXPECT_TRUE(names.insert(to_string(refusal)).second) << to_string(refusal);
    EXPECT_GE(status_for(refusal), 400);
    EXPECT_FALSE(http::reason_phrase(status_for(refusal)).empty()) << status_for(refusal);
  }
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace vipair::policy
