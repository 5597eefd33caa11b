#include "proxy/http/scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "proxy/http/chars.h"

namespace vipair::http {
namespace {

std::vector<VectorUnit> available_units() {
  std::vector<VectorUnit> units;
  for (VectorUnit unit : {VectorUnit::portable, VectorUnit::ssse3, VectorUnit::avx2})
    if (is_available(unit)) units.push_back(unit);
  return units;
}

void expect_masks(VectorUnit unit, const std::string& bytes) {
  ASSERT_EQ(bytes.size() % kBlockBytes, 0U);
  std::vector<BlockMasks> masks(bytes.size() / kBlockBytes);
  classifier(unit)(bytes.data(), masks.size(), masks.data());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const BlockMasks& block = masks[i / kBlockBytes];
    bool not_token = block.not_token >> i % kBlockBytes & 1;
    bool control = block.control >> i % kBlockBytes & 1;
    ASSERT_EQ(not_token, !is_token_char(bytes[i]))
        << "unit " << static_cast<int>(unit) << " byte " << int{bytes[i]};
    ASSERT_EQ(control, is_control(bytes[i])) << "unit " << static_cast<int>(unit) << " byte " << int{bytes[i]};
  }
}

TEST(Scan, ClassifiesEveryByteAtEveryPlaceInEveryUnit) {
  for (VectorUnit unit : available_units()) {
    for (int byte = 0; byte < 256; ++byte) {
      for (std::size_t at = 0; at < kBlockBytes; ++at) {
        std::string block(kBlockBytes, 'a');
        block[at] = static_cast<char>(byte);
        expect_masks(unit, block);
      }
    }
  }
}

TEST(Scan, GivesTheSameMasksForRandomBytesInEveryUnit) {
  std::mt19937 random(20261120);
  std::uniform_int_distribution<int> byte(0, 255);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(8 * kBlockBytes, '\0');
    for (char& c : bytes) c = static_cast<char>(byte(random));
    for (VectorUnit unit : available_units()) expect_masks(unit, bytes);
  }
}

TEST(Scan, AlwaysHasThePortableUnit) {
  EXPECT_TRUE(is_available(VectorUnit::portable));
  EXPECT_NE(best_classifier(), nullptr);
  EXPECT_EQ(best_classifier(), classifier(available_units().back())) << "the widest one is taken";
}

}  // namespace
}  // namespace vipair::http
