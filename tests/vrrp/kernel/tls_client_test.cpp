#include "vrrp/kernel/tls_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace vipair::vrrp {
namespace {

using testing::HasSubstr;

// The conversation itself is tested in check_http_test.cpp.
TEST(TlsContext, MissingAuthoritiesAreExplained) {
  const auto missing = TlsContext::make(true, "/no/such/file.pem");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr("/no/such/file.pem: "));
  EXPECT_TRUE(TlsContext::make(false, "/no/such/file.pem")) << "nobody asks them";
  EXPECT_TRUE(TlsContext::make(true, "")) << "the system's";
}

TEST(TlsStream, BadHostIsRefused) {
  const auto context = TlsContext::make(true, "");
  ASSERT_TRUE(context);
  EXPECT_FALSE(TlsStream::make(*context, 0, std::string(300, 'x')));
}

}  // namespace
}  // namespace vipair::vrrp
