#pragma once
// What a client makes of a body that is compressed, or sent in chunks.

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <string_view>

#include "proxy/http/body.h"
#include "proxy/http/compression.h"

namespace vipair::proxy::testing {

// As far as the client can read it; is_whole: to the end of the stream.
struct Decoded {
  std::string text;
  bool is_whole = false;
};

inline Decoded gunzip(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(4 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  Decoded decoded{out.substr(0, out.size() - stream.avail_out), result == Z_STREAM_END};
  inflateEnd(&stream);
  return decoded;
}

inline Decoded unbrotli(std::string_view bytes) {
  BrotliDecoderState* state = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
  std::string out(4 << 20, '\0');
  std::size_t left = bytes.size(), room = out.size();
  const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
  auto* to = reinterpret_cast<std::uint8_t*>(out.data());
  const auto result = BrotliDecoderDecompressStream(state, &left, &next, &room, &to, nullptr);
  BrotliDecoderDestroyInstance(state);
  return {out.substr(0, out.size() - room), result == BROTLI_DECODER_RESULT_SUCCESS};
}

inline Decoded decode(http::Coding coding, std::string_view bytes) {
  return coding == http::Coding::gzip ? gunzip(bytes) : unbrotli(bytes);
}

// Of the chunks that are here; is_whole: to the last one.
inline Decoded unchunk(std::string_view bytes) {
  http::BodyDecoder decoder({http::Framing::chunked, 0});
  Decoded decoded;
  while (!bytes.empty() && !decoder.is_complete()) {
    const http::BodyDecoder::Step step = decoder.decode(bytes);
    EXPECT_FALSE(step.error) << decoded.text.size();
    if (step.error || step.consumed == 0) break;
    decoded.text += step.payload;
    bytes.remove_prefix(step.consumed);
  }
  decoded.is_whole = decoder.is_complete();
  return decoded;
}

}  // namespace vipair::proxy::testing
