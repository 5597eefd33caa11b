#include "vrrp/kernel/hmac.h"

#include <algorithm>
#include <string>
#include <vector>

namespace vipair::vrrp {
namespace {

std::string hex(const std::array<std::uint8_t, 32>& bytes) {
  std::string text;
  for (std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// A shorter key counts as one with zeros behind it, so the vectors of RFC 4231 fit.
TEST(Hmac, GivesTheVectorsOfRfc4231) {
  PairKey key{};
  std::fill_n(key.begin(), 20, std::uint8_t{0x0B});
  const std::string hi = "Hi There";
  EXPECT_EQ(hex(hmac_sha256(key, {reinterpret_cast<const std::uint8_t*>(hi.data()), hi.size()})),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  key = {'J', 'e', 'f', 'e'};
  const std::string what = "what do ya want for nothing?";
  EXPECT_EQ(hex(hmac_sha256(key, {reinterpret_cast<const std::uint8_t*>(what.data()), what.size()})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Hmac, TakesAnyNumberOfKeysInTurns) {
  const std::array<std::uint8_t, 3> message = {1, 2, 3};
  std::vector<std::array<std::uint8_t, 32>> macs;
  for (int round = 0; round < 3; ++round) {
    for (std::uint8_t i = 0; i < 10; ++i) {
      PairKey key{};
      key.back() = i;
      const auto mac = hmac_sha256(key, message);
      if (round == 0) {
        EXPECT_EQ(std::count(macs.begin(), macs.end(), mac), 0);
        macs.push_back(mac);
      }
      EXPECT_EQ(mac, macs[i]);
      EXPECT_EQ(mac, hmac_sha256(key, message));
    }
  }
}

TEST(Hmac, EpochsDiffer) { EXPECT_NE(random_epoch(), random_epoch()); }

}  // namespace
}  // namespace vipair::vrrp
