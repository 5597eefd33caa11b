#include "common/base/bytes.h"

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(Bytes, AreWrittenAndReadInNetworkOrder) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.u8(0x01);
  writer.u16(0x0203);
  writer.u32(0x04050607);
  writer.u64(0x08090A0B0C0D0E0F);
  writer.bytes(Bytes{0xFE, 0xFF});
  EXPECT_EQ(bytes, (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xFE, 0xFF}));

  ByteReader reader(bytes);
  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u32(), 0x04050607u);
  EXPECT_EQ(reader.u64(), 0x08090A0B0C0D0E0Fu);
  EXPECT_EQ(reader.remaining(), 2u);
  ByteView rest = reader.view(2);
  EXPECT_EQ(Bytes(rest.begin(), rest.end()), (Bytes{0xFE, 0xFF}));
  EXPECT_TRUE(reader.ok());
}

TEST(Bytes, ReaderThatRanOutStaysSo) {
  const Bytes bytes = {1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.u16(), 0x0102);
  EXPECT_EQ(reader.u16(), 0);  // one byte is left: that is not half an answer
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, EmptyViewIsAlwaysThere) {
  ByteReader reader(ByteView{});
  EXPECT_TRUE(reader.view(0).empty());
  EXPECT_TRUE(reader.ok());
  reader.view(static_cast<std::size_t>(-1));
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace vipair
