#include "proxy/config_compression.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using testing::ElementsAre;

const Mistake kMistakes[] = {
    {"compression_type", "compression = { types = [ \"html\" ]; };", nullptr, "compression.types[0]",
     "is not a media type"},
    {"compression_level", "compression = { gzip = 10; };", nullptr, "compression.gzip", "out of range"},
    {"compression_of_nothing", "compression = { gzip = 0; brotli = 0; };", nullptr, "compression.gzip",
     "nothing would be compressed"},
    {"compression_unknown", "compression = { level = 1; };", nullptr, "compression.level",
     "is not a known setting"},
    {"compression_of_a_site", "", WITH_SITE("compression = { brotli = 10; };"), "site.compression.brotli",
     "out of range"},
};

EXPECT_MISTAKES(CompressionConfigMistake, kMistakes);

TEST(CompressionConfig, IsOffUntilItIsNamed) {
  auto config = parse(kListeners);
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_FALSE(config->sites[0].compression.is_on);
}

TEST(CompressionConfig, ASiteTakesTheProxysAndChangesWhatItSays) {
  auto config = parse(kListeners + "compression = { gzip = 1; types = [ \"Text/*\" ]; };",
                      WITH_SITE("compression = { brotli = 0; length_min = \"100B\"; };"));
  ASSERT_TRUE(config) << first_error(config);
  const Compression& compression = config->sites[0].compression;
  EXPECT_TRUE(compression.is_on);
  EXPECT_EQ(compression.gzip, 1);
  EXPECT_EQ(compression.brotli, 0);
  EXPECT_EQ(compression.rules.length_min, 100u);
  EXPECT_THAT(compression.rules.types, ElementsAre("text/*"));
}

TEST(CompressionConfig, ASiteMaySwitchItOff) {
  auto config = parse(kListeners + "compression = { };", WITH_SITE("compression = { enabled = false; };"));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_FALSE(config->sites[0].compression.is_on);
}

}  // namespace
}  // namespace vipair::proxy
