#include "common/ctl/import_verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::ctl {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Statement setting(const std::string& keyword) { return {{keyword, "1"}, {"k", 3}, false, {}}; }

TEST(ImportVerdicts, WhatCannotBeKeptIsAnErrorWithItsReason) {
  Remarks remarks;
  EXPECT_TRUE(settle_without_counterpart(setting("virtual_server"), SettingOf::file, remarks));
  EXPECT_TRUE(settle_without_counterpart(setting("startup_script"), SettingOf::global_defs, remarks));
  EXPECT_TRUE(settle_without_counterpart(setting("virtual_routes"), SettingOf::instance, remarks));
  ASSERT_THAT(remarks.errors(), SizeIs(3));
  EXPECT_THAT(remarks.errors()[0].to_string(), HasSubstr("k:3: virtual_server cannot be kept: load balancing"));
  EXPECT_THAT(remarks.notes(), IsEmpty());
}

TEST(ImportVerdicts, AVerdictHoldsWhereTheSettingBelongs) {
  Remarks remarks;
  EXPECT_FALSE(settle_without_counterpart(setting("virtual_routes"), SettingOf::file, remarks));
  EXPECT_FALSE(settle_without_counterpart(setting("virtual_server"), SettingOf::instance, remarks));
  EXPECT_THAT(remarks.errors(), IsEmpty());
}

TEST(ImportVerdicts, ADifferenceWithoutHarmIsNotedOnce) {
  Remarks remarks;
  for (const char* keyword : {"smtp_alert", "garp_master_delay", "vrrp_gna_interval", "smtp_alert"})
    EXPECT_TRUE(settle_without_counterpart(setting(keyword), SettingOf::instance, remarks)) << keyword;
  EXPECT_THAT(remarks.notes(), SizeIs(2)) << "mail, and announcements";
  EXPECT_THAT(remarks.errors(), IsEmpty());
}

TEST(ImportVerdicts, WhatNobodyMissesIsPassedOverAndAStrangerIsNot) {
  Remarks remarks;
  EXPECT_TRUE(settle_without_counterpart(setting("dynamic_interfaces"), SettingOf::global_defs, remarks));
  EXPECT_FALSE(settle_without_counterpart(setting("no_such_setting"), SettingOf::global_defs, remarks));
  EXPECT_THAT(remarks.errors(), IsEmpty());
  EXPECT_THAT(remarks.notes(), IsEmpty());
}

}  // namespace
}  // namespace vipair::ctl
