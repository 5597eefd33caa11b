#include <boost/json.hpp>

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(Json, IsLinkedIntoTheRuntime) {
  boost::system::error_code error;
  auto value = boost::json::parse(R"({"node":"lb-a","routers":[{"vrid":51}]})", error);
  ASSERT_FALSE(error);
  EXPECT_EQ(boost::json::serialize(value), R"({"node":"lb-a","routers":[{"vrid":51}]})");
  boost::json::parse("{", error);
  EXPECT_TRUE(error);
}

}  // namespace
}  // namespace vipair
