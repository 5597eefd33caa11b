#include "proxy/server/openssl.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace vipair::proxy {
namespace {

TEST(Openssl, SaysWhyOnceAndForgets) {
  const BioPtr bio(BIO_new_mem_buf("no certificate", -1));
  EXPECT_EQ(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), nullptr);
  EXPECT_EQ(openssl_error(), "no start line");
  EXPECT_EQ(ERR_peek_error(), 0u);
  EXPECT_EQ(openssl_error(), "unknown error");
}

}  // namespace
}  // namespace vipair::proxy
