#include "proxy/config_log.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using testing::HasSubstr;

const Mistake kMistakes[] = {
    {"access_log_without_path", "access_log = { format = \"json\"; };", nullptr, "access_log.path", "is missing"},
    {"access_log_format", "access_log = { path = \"/x\"; format = \"common\"; };", nullptr, "access_log.format",
     "is not known, expected one of \"off\", \"combined\", \"json\""},
    {"access_log_unknown_variable", "access_log = { path = \"/x\"; format = \"custom\"; template = \"${stat}\"; };",
     nullptr, "access_log.template", "no variable ${stat}"},
    {"access_log_without_template", "access_log = { path = \"/x\"; format = \"custom\"; };", nullptr,
     "access_log.template", "is missing"},
    {"access_log_template_unused", "access_log = { path = \"/x\"; template = \"${status}\"; };", nullptr,
     "access_log.template", "with format = \"custom\" only"},
    {"access_log_two_targets", "access_log = { path = \"/x\"; syslog = \"/dev/log\"; };", nullptr,
     "access_log.syslog", "to a file or to syslog"},
    {"access_log_syslog_address", "access_log = { syslog = \"loghost\"; };", nullptr, "access_log.syslog",
     "is not an address with a port"},
    {"access_log_sample", "access_log = { path = \"/x\"; one_in = 0; };", nullptr, "access_log.one_in",
     "out of range"},
};

EXPECT_MISTAKES(LogConfigMistake, kMistakes);

TEST(LogConfig, TemplateSampleAndSyslogArrive) {
  auto config = parse(
      kListeners +
      "access_log = { format = \"custom\"; template = \"${status}\"; syslog = \"/dev/log\"; one_in = 100; };");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->access_log.text, "${status}");
  EXPECT_EQ(config->access_log.syslog, "/dev/log");
  EXPECT_EQ(config->access_log.one_in, 100u);
  EXPECT_EQ(config->access_log.path, "");
}

TEST(LogConfig, RemoteSyslogIsAnAddress) {
  auto config = parse(kListeners + "access_log = { format = \"json\"; syslog = \"192.0.2.9:514\"; };");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->access_log.syslog, "192.0.2.9:514");
}

}  // namespace
}  // namespace vipair::proxy
