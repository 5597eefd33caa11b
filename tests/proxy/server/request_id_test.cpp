#include "proxy/server/request_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace vipair::proxy {
namespace {

TEST(RequestIds, AreHexadecimalAndDiffer) {
  RequestIds ids(1);
  std::set<std::string> seen;
  for (int i = 0; i < 10000; ++i) {
    RequestId bytes;
    const std::string id(ids.next(bytes));
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(RequestIds, OfTwoWorkersDiffer) {
  RequestIds one, other;
  RequestId a, b;
  EXPECT_NE(one.next(a), other.next(b));
}

}  // namespace
}  // namespace vipair::proxy
