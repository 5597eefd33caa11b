#include "proxy/server/body_encoder.h"

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace vipair::proxy {
namespace {

using Flush = BodyEncoder::Flush;

// As far as the client can read it; is_whole: to the end of the stream.
struct Decoded {
  std::string text;
  bool is_whole = false;
};

Decoded gunzip(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  Decoded decoded{out.substr(0, out.size() - stream.avail_out), result == Z_STREAM_END};
  inflateEnd(&stream);
  return decoded;
}

Decoded unbrotli(std::string_view bytes) {
  BrotliDecoderState* state = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
  std::string out(1 << 20, '\0');
  std::size_t left = bytes.size(), room = out.size();
  const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
  auto* to = reinterpret_cast<std::uint8_t*>(out.data());
  const auto result = BrotliDecoderDecompressStream(state, &left, &next, &room, &to, nullptr);
  BrotliDecoderDestroyInstance(state);
  return {out.substr(0, out.size() - room), result == BROTLI_DECODER_RESULT_SUCCESS};
}

Decoded decode(http::Coding coding, std::string_view bytes) {
  return coding == http::Coding::gzip ? gunzip(bytes) : unbrotli(bytes);
}

class BodyEncoderOf : public ::testing::TestWithParam<http::Coding> {
 protected:
  EncoderPool pool_;
};

TEST_P(BodyEncoderOf, TellsTheClientWhatItWasGiven) {
  auto encoder = pool_.take(GetParam(), 5);
  http::Buffer out;
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = "line " + std::to_string(i) + " of a page\n";
    all += piece;
    ASSERT_TRUE(encoder->encode(piece, Flush::none, out));
  }
  ASSERT_TRUE(encoder->encode("", Flush::end, out));
  EXPECT_LT(out.size(), all.size() / 3);
  const Decoded decoded = decode(GetParam(), out.view());
  EXPECT_EQ(decoded.text, all);
  EXPECT_TRUE(decoded.is_whole);
}

TEST_P(BodyEncoderOf, AnEventCanBeReadBeforeTheNextOneComes) {
  auto encoder = pool_.take(GetParam(), 1);
  http::Buffer out;
  ASSERT_TRUE(encoder->encode("data: 1\n\n", Flush::sync, out));
  EXPECT_EQ(decode(GetParam(), out.view()).text, "data: 1\n\n");
  EXPECT_FALSE(decode(GetParam(), out.view()).is_whole);
}

TEST_P(BodyEncoderOf, AnEmptyBodyIsAWholeStream) {
  auto encoder = pool_.take(GetParam(), 5);
  http::Buffer out;
  ASSERT_TRUE(encoder->encode("", Flush::end, out));
  EXPECT_TRUE(decode(GetParam(), out.view()).is_whole);
}

TEST_P(BodyEncoderOf, IsUsedAgainForAnotherStream) {
  for (const std::string text : {"first", "second"}) {
    auto encoder = pool_.take(GetParam(), 5);
    http::Buffer out;
    ASSERT_TRUE(encoder->encode(text, text == "first" ? Flush::none : Flush::end, out));
    if (text == "second") {
      EXPECT_EQ(decode(GetParam(), out.view()).text, text);
    }
    pool_.give_back(std::move(encoder));
  }
  EXPECT_EQ(pool_.used(), 0u);
}

TEST_P(BodyEncoderOf, ThereAreOnlySoMany) {
  std::vector<std::unique_ptr<BodyEncoder>> taken;
  while (auto encoder = pool_.take(GetParam(), 1)) taken.push_back(std::move(encoder));
  EXPECT_EQ(taken.size(), EncoderPool::kUsedMax);
  pool_.give_back(std::move(taken.back()));
  EXPECT_NE(pool_.take(GetParam(), 1), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Codings, BodyEncoderOf, ::testing::Values(http::Coding::gzip, http::Coding::brotli),
                         [](const auto& coding) { return std::string(http::to_string(coding.param)); });

}  // namespace
}  // namespace vipair::proxy
