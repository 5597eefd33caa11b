#include "vrrp/core/types.h"

namespace vipair::vrrp {
namespace {

TEST(Types, StatesHaveTheirNames) {
  EXPECT_STREQ(name_of(Initialize{}), "initialize");
  EXPECT_STREQ(name_of(Backup{}), "backup");
  EXPECT_STREQ(name_of(Active{}), "active");
  EXPECT_STREQ(name_of(Yielding{}), "yielding");
}

TEST(Types, StatesCompareByWhatTheyRemember) {
  Backup backup;
  Backup later = backup;
  later.active_down_at += std::chrono::nanoseconds(1);
  EXPECT_EQ(State(backup), State(backup));
  EXPECT_NE(State(backup), State(later));
  EXPECT_NE(State(backup), State(Initialize{}));
}

}  // namespace
}  // namespace vipair::vrrp
