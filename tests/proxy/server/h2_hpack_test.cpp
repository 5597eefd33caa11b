#include "proxy/server/h2_hpack.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vipair::proxy {
namespace {

using http::h2::FieldLines;
using Fields = std::vector<std::pair<std::string, std::string>>;

std::string encode(HpackEncoder& encoder, const FieldLines& lines) {
  std::string block(encoder.bound(lines), '\0');
  block.resize(encoder.encode(block));
  return block;
}

// nullopt: refused.
std::optional<Fields> decode(HpackDecoder& decoder, std::string_view block, std::size_t piece = 1000) {
  Fields fields;
  do {
    const std::string_view part = block.substr(0, piece);
    block.remove_prefix(part.size());
    const bool is_sound = decoder.decode(part, block.empty(), [&](std::string_view name, std::string_view value) {
      fields.emplace_back(name, value);
    });
    if (!is_sound) return {};
  } while (!block.empty());
  return fields;
}

TEST(Hpack, ReadsWhatItWritesInAnyPieces) {
  FieldLines lines;
  lines.count = 3;
  lines.lines[0] = {":status", "200"};
  lines.lines[1] = {"x-name", "a value that repeats"};
  lines.lines[2] = {"set-cookie", "secret", true};
  const Fields expected{{":status", "200"}, {"x-name", "a value that repeats"}, {"set-cookie", "secret"}};
  for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
    HpackEncoder encoder;
    HpackDecoder decoder;
    const std::string first = encode(encoder, lines);
    EXPECT_EQ(decode(decoder, first, piece), expected);
    const std::string second = encode(encoder, lines);
    EXPECT_LT(second.size(), first.size()) << "the table is used";
    EXPECT_EQ(decode(decoder, second, piece), expected);
  }
}

TEST(Hpack, RefusesABrokenBlock) {
  HpackDecoder decoder;
  EXPECT_EQ(decode(decoder, "\xff\xff\xff\xff\xff\xff\xff"), std::nullopt) << "an index without end";
  HpackDecoder other;
  EXPECT_EQ(decode(other, "\xbf"), std::nullopt) << "an index of nothing";
  HpackDecoder third;
  EXPECT_EQ(decode(third, std::string_view("\0\5ab", 4)), std::nullopt) << "cut off";
}

TEST(Hpack, KeepsToTheTableThePeerAllows) {
  FieldLines lines;
  lines.count = 1;
  lines.lines[0] = {"x-name", "a value that repeats"};
  HpackEncoder encoder;
  encoder.limit_table(0);
  (void)encode(encoder, lines);
  const std::string second = encode(encoder, lines);
  EXPECT_GT(second.size(), 10u) << "nothing is in a table";
}

}  // namespace
}  // namespace vipair::proxy
