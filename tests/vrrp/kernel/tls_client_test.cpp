#include "vrrp/kernel/tls_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/tls_server.h"

namespace vipair::vrrp {
namespace {

using testing::HasSubstr;

// The conversation itself is tested in check_http_test.cpp.
class TlsContextTest : public testing::Test {
 protected:
  TlsContextTest()
      : path((std::filesystem::temp_directory_path() / ("vipair-tls-" + std::to_string(::getpid()))).string()) {}
  ~TlsContextTest() override { std::filesystem::remove(path); }
  const std::string path;
};

TEST_F(TlsContextTest, MissingAuthoritiesAreExplained) {
  const auto missing = TlsContext::make(true, "/no/such/file.pem");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr("/no/such/file.pem: "));
  auto unasked = TlsContext::make(false, "/no/such/file.pem");
  ASSERT_TRUE(unasked) << "nobody asks them";
  EXPECT_EQ(*unasked->read_some(), true);
}

TEST_F(TlsContextTest, AuthoritiesAreReadAFewAtATime) {
  const test::TlsServer server("DNS:localhost", "");
  server.write_certificate(path);
  std::ifstream file(path);
  const std::string one((std::istreambuf_iterator<char>(file)), {});
  std::ofstream all(path);
  for (int i = 0; i < 3 * TlsContext::kSlice; ++i) all << "a comment\n" << one;
  all.close();
  auto context = TlsContext::make(true, path);
  ASSERT_TRUE(context);
  int calls = 1;
  while (!*context->read_some()) ++calls;
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(*context->read_some(), true) << "still";
}

TEST_F(TlsContextTest, FilesWithoutGoodCertificatesAreExplained) {
  std::ofstream(path) << "nothing here\n";
  auto empty = TlsContext::make(true, path);
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->read_some().error(), path + ": there is no certificate in it");
  EXPECT_FALSE(empty->read_some()) << "still";
  std::ofstream(path) << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  auto broken = TlsContext::make(true, path);
  ASSERT_TRUE(broken);
  EXPECT_THAT(broken->read_some().error(), HasSubstr(path + ": certificate 1: "));
}

TEST_F(TlsContextTest, SystemsAuthoritiesNeedNotBeABundle) {
  auto context = TlsContext::make(true, "");
  ASSERT_TRUE(context);
  while (true) {
    const auto is_ready = context->read_some();
    ASSERT_TRUE(is_ready) << is_ready.error();
    if (*is_ready) break;
  }
}

TEST(TlsStream, BadHostIsRefused) {
  const auto context = TlsContext::make(true, "");
  ASSERT_TRUE(context);
  EXPECT_FALSE(TlsStream::make(*context, 0, std::string(300, 'x')));
}

}  // namespace
}  // namespace vipair::vrrp
