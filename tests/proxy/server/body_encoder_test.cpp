#include "proxy/server/body_encoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/decoding.h"

namespace vipair::proxy {
namespace {

using Flush = BodyEncoder::Flush;
using testing::decode;
using testing::Decoded;

class BodyEncoderOf : public ::testing::TestWithParam<http::Coding> {
 protected:
  EncoderPool pool_;
};

TEST_P(BodyEncoderOf, TellsTheClientWhatItWasGiven) {
  auto encoder = pool_.take(GetParam(), 5);
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = "line " + std::to_string(i) + " of a page\n";
    all += piece;
    ASSERT_TRUE(encoder->encode(piece, Flush::none));
  }
  ASSERT_TRUE(encoder->encode("", Flush::end));
  EXPECT_LT(encoder->ready.size(), all.size() / 3);
  const Decoded decoded = decode(GetParam(), encoder->ready.view());
  EXPECT_EQ(decoded.text, all);
  EXPECT_TRUE(decoded.is_whole);
}

TEST_P(BodyEncoderOf, AnEventCanBeReadBeforeTheNextOneComes) {
  auto encoder = pool_.take(GetParam(), 1);
  ASSERT_TRUE(encoder->encode("data: 1\n\n", Flush::sync));
  EXPECT_EQ(decode(GetParam(), encoder->ready.view()).text, "data: 1\n\n");
  EXPECT_FALSE(decode(GetParam(), encoder->ready.view()).is_whole);
}

TEST_P(BodyEncoderOf, AnEmptyBodyIsAWholeStream) {
  auto encoder = pool_.take(GetParam(), 5);
  ASSERT_TRUE(encoder->encode("", Flush::end));
  EXPECT_TRUE(decode(GetParam(), encoder->ready.view()).is_whole);
}

TEST_P(BodyEncoderOf, WhatDoesNotGetSmallerIsWholeToo) {
  std::mt19937 random(3);
  std::string noise(300000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  auto encoder = pool_.take(GetParam(), 4);
  ASSERT_TRUE(encoder->encode(noise, Flush::sync));
  EXPECT_TRUE(decode(GetParam(), encoder->ready.view()).text == noise);
  ASSERT_TRUE(encoder->encode(noise, Flush::end));
  const Decoded decoded = decode(GetParam(), encoder->ready.view());
  EXPECT_TRUE(decoded.text == noise + noise);
  EXPECT_TRUE(decoded.is_whole);
}

TEST_P(BodyEncoderOf, IsUsedAgainForAnotherStream) {
  for (const std::string text : {"first", "second"}) {
    auto encoder = pool_.take(GetParam(), 5);
    ASSERT_TRUE(encoder->encode(text, text == "first" ? Flush::none : Flush::end));
    if (text == "second") {
      EXPECT_EQ(decode(GetParam(), encoder->ready.view()).text, text);
    }
  }
  EXPECT_EQ(pool_.used(), 0u);
}

TEST_P(BodyEncoderOf, ThereAreOnlySoMany) {
  std::vector<EncoderPool::Encoder> taken;
  while (auto encoder = pool_.take(GetParam(), 1)) taken.push_back(std::move(encoder));
  EXPECT_EQ(taken.size(), EncoderPool::kUsedMax);
  taken.pop_back();
  EXPECT_NE(pool_.take(GetParam(), 1), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Codings, BodyEncoderOf, ::testing::Values(http::Coding::gzip, http::Coding::brotli),
                         [](const auto& coding) { return std::string(http::to_string(coding.param)); });

}  // namespace
}  // namespace vipair::proxy
