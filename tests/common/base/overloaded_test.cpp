#include "common/base/overloaded.h"

#include <string>
#include <variant>

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(Overloaded, ChoosesTheLambdaOfTheAlternative) {
  std::variant<int, std::string> value = std::string("text");
  auto visitor = overloaded{[](int) { return 1; }, [](const std::string&) { return 2; }};
  EXPECT_EQ(std::visit(visitor, value), 2);
  value = 5;
  EXPECT_EQ(std::visit(visitor, value), 1);
}

}  // namespace
}  // namespace vipair
