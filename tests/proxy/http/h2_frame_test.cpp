#include "proxy/http/h2_frame.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace vipair::http::h2 {
namespace {

using namespace std::string_view_literals;

TEST(H2Frame, ReadsWhatItWrites) {
  char bytes[kFrameHeaderBytes];
  write_frame_header(bytes, 0x010203, FrameType::headers, kEndHeaders | kEndStream, 0x7fffffff);
  EXPECT_EQ(std::string_view(bytes, sizeof bytes), "\x01\x02\x03\x01\x05\x7f\xff\xff\xff"sv);
  const FrameHeader header = read_frame_header(bytes);
  EXPECT_EQ(header.length, 0x010203u);
  EXPECT_TRUE(header.is(FrameType::headers));
  EXPECT_TRUE(header.has(kEndHeaders) && header.has(kEndStream) && !header.has(kPadded));
  EXPECT_EQ(header.stream, 0x7fffffffu);
}

TEST(H2Frame, IgnoresTheReservedBit) {
  EXPECT_EQ(read_frame_header("\0\0\0\0\0\xff\xff\xff\xff").stream, 0x7fffffffu);
}

TEST(H2Frame, WritesSmallFrames) {
  const SettingValue values[] = {{Setting::max_concurrent_streams, 100}, {Setting::enable_connect_protocol, 1}};
  EXPECT_EQ(settings_frame(values, 2).view(), "\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x08\0\0\0\x01"sv);
  EXPECT_EQ(settings_ack().view(), "\0\0\0\x04\x01\0\0\0\0"sv);
  EXPECT_EQ(ping_ack("12345678").view(),
            "\0\0\x08\x06\x01\0\0\0\0"
            "12345678"sv);
  EXPECT_EQ(rst_stream(3, ErrorCode::cancel).view(), "\0\0\x04\x03\0\0\0\0\x03\0\0\0\x08"sv);
  EXPECT_EQ(window_update(0, 65536).view(), "\0\0\x04\x08\0\0\0\0\0\0\x01\0\0"sv);
  EXPECT_EQ(goaway(5, ErrorCode::no_error).view(), "\0\0\x08\x07\0\0\0\0\0\0\0\0\x05\0\0\0\0"sv);
}

TEST(H2Frame, NamesEveryErrorCode) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kErrorCodes; ++i) names.insert(to_string(static_cast<ErrorCode>(i)));
  EXPECT_EQ(names.size(), kErrorCodes);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace vipair::http::h2
