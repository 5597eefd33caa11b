#include "common/base/checksum.h"

#include "gtest/gtest.h"

namespace vipair {
namespace {

std::uint16_t checksum(const Bytes& bytes) {
  InternetChecksum sum;
  sum.add(bytes);
  return sum.value();
}

TEST(Checksum, MatchesTheExampleOfRfc1071) {
  // section 3: 0001 f203 f4f5 f6f7 sums to ddf2 with the carries folded in
  EXPECT_EQ(checksum({0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7}), static_cast<std::uint16_t>(~0xDDF2));
}

TEST(Checksum, MatchesAKnownIpv4Header) {
  Bytes header = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                  0x00, 0x00, 0xC0, 0xA8, 0x00, 0x01, 0xC0, 0xA8, 0x00, 0xC7};
  EXPECT_EQ(checksum(header), 0xB861);
  header[10] = 0xB8;
  header[11] = 0x61;
  EXPECT_EQ(checksum(header), 0);  // a valid message sums to nothing
}

TEST(Checksum, PadsAnOddLastByteWithZero) {
  EXPECT_EQ(checksum({0x12, 0x34, 0x56}), checksum({0x12, 0x34, 0x56, 0x00}));
  EXPECT_NE(checksum({0x12, 0x34, 0x56}), checksum({0x12, 0x34, 0x00, 0x56}));
}

TEST(Checksum, IsTheSameInPieces) {
  InternetChecksum pieces;
  const Bytes first = {0xFF, 0xFF, 0x80, 0x01}, last = {0xFE, 0xDC, 0xBA};
  pieces.add(first);
  pieces.add_u16(0x1234);
  pieces.add(last);
  EXPECT_EQ(pieces.value(), checksum({0xFF, 0xFF, 0x80, 0x01, 0x12, 0x34, 0xFE, 0xDC, 0xBA}));
}

TEST(Checksum, FoldsEveryCarry) {
  EXPECT_EQ(checksum(Bytes(65536, 0xFF)), 0);
  EXPECT_EQ(checksum({}), 0xFFFF);
}

}  // namespace
}  // namespace vipair
