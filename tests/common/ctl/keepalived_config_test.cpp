#include "common/ctl/keepalived_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::ctl {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class KeepalivedConfigTest : public testing::Test {
 protected:
  KeepalivedConfig read(const std::string& text, const ImportOptions& options = {"", "host", "/x"}) {
    const ReadIncluded nothing = [](const std::string&, const std::string&) {
      return Expected<std::vector<SourceText>, std::string>(Unexpected{std::string("no")});
    };
    return read_keepalived(parse_keepalived({"k", text}, nothing, remarks.errors()), options, remarks);
  }
  KeepalivedInstance instance(const std::string& settings) {
    auto config = read("vrrp_instance web {\ninterface eth0\nvirtual_router_id 7\n" + settings + "\n}");
    return config.instances.empty() ? KeepalivedInstance{} : config.instances[0];
  }
  std::string errors() {
    std::string text;
    for (const Remark& error : remarks.errors()) text += error.to_string() + "\n";
    return text;
  }

  Remarks remarks;
};

const std::string kAddress = "virtual_ipaddress {\n10.0.0.1/8\n}\n";

TEST_F(KeepalivedConfigTest, GlobalsHoldForInstancesAboveThem) {
  const auto config = read("vrrp_instance web {\ninterface eth0\nvirtual_router_id 7\n" + kAddress +
                           "notify_master /bin/x\n}\nglobal_defs {\nrouter_id lb-a\nvrrp_version 3\n"
                           "vrrp_strict\nscript_user me\nvrrp_rt_priority 50\n}");
  EXPECT_EQ(errors(), "");
  EXPECT_EQ(config.node, "lb-a");
  EXPECT_EQ(config.version, 3);
  EXPECT_TRUE(config.is_strict);
  EXPECT_EQ(config.realtime_priority, 50);
  ASSERT_THAT(config.instances, SizeIs(1));
  ASSERT_THAT(config.instances[0].scripts, SizeIs(1));
  EXPECT_EQ(config.instances[0].scripts[0].user, "me");
}

TEST_F(KeepalivedConfigTest, AnInstanceIsAsKeepalivedMeansIt) {
  const auto made = instance(kAddress +
                             "state MASTER\npriority 150\nadvert_int 0.1\nversion 3\nno_accept\n"
                             "virtual_ipaddress_excluded {\n10.0.0.2\n}\nunicast_peer {\n10.0.0.3\n}\nuse_vmac\n"
                             "preempt_delay 2.5\nauthentication {\nauth_type PASS\nauth_pass 123456789\n}");
  EXPECT_EQ(errors(), "");
  EXPECT_EQ(made.name, "web");
  EXPECT_EQ(made.interface, "eth0");
  EXPECT_EQ(made.vrid, 7);
  EXPECT_EQ(made.priority, 150);
  EXPECT_EQ(made.advertisement_interval, Duration(100ms));
  EXPECT_EQ(made.preempt_delay, Duration(2500ms));
  EXPECT_EQ(made.version, 3);
  EXPECT_TRUE(made.is_master);
  EXPECT_EQ(made.accept, false);
  EXPECT_TRUE(made.virtual_mac);
  EXPECT_THAT(made.addresses, ElementsAre("10.0.0.1/8"));
  EXPECT_THAT(made.excluded_addresses, ElementsAre("10.0.0.2/32"));
  EXPECT_THAT(made.peers, ElementsAre("10.0.0.3"));
  EXPECT_EQ(made.auth_pass, "12345678");
  EXPECT_EQ(made.said.at("priority").line, 8);
}

TEST_F(KeepalivedConfigTest, WhatIsMissingTwiceOrUnknownIsSaidWithItsLine) {
  (void)read("vrrp_instance a {\npriority 1\npriority 2\nsurprise 3\n}\nvrrp_instance a {\n}\nsurprise\n");
  for (const char* text :
       {"k:1: interface of vrrp_instance \"a\" is missing", "k:1: virtual_router_id of",
        "k:1: virtual_ipaddress of", "k:3: priority is there twice: first at line 2",
        "k:4: \"surprise\" of a vrrp_instance is not known",
        "k:6: vrrp_instance \"a\" is there twice: first at k:1", "k:8: \"surprise\" is not known to this import"})
    EXPECT_THAT(errors(), HasSubstr(text));
}

TEST_F(KeepalivedConfigTest, AddressesAreOfOneFamilyAndOnTheInterface) {
  (void)instance("virtual_ipaddress {\n10.0.0.1/8 dev eth1\nfe80::1/64\n10.0.0.x\n10.0.0.2 scope host\n}");
  for (const char* text : {"k:5: dev eth1 cannot be kept", "k:6: fe80::1/64 is of another family",
                           "k:7: \"10.0.0.x\" is not an address", "k:8: \"scope\" of an address cannot be kept"})
    EXPECT_THAT(errors(), HasSubstr(text));
}

TEST_F(KeepalivedConfigTest, APairHasOnePeer) {
  (void)instance(kAddress + "unicast_peer {\n10.0.0.3\n10.0.0.4\n}");
  EXPECT_THAT(errors(), HasSubstr("more than one unicast_peer cannot be kept"));
  (void)instance(kAddress + "unicast_peer {\n2001:db8::1\n}");
  EXPECT_THAT(errors(), HasSubstr("2001:db8::1 is not link-local"));
}

TEST_F(KeepalivedConfigTest, AGroupHasItsMembersTracksAndScripts) {
  const auto config = read("vrrp_sync_group g {\ngroup {\na\nb\n}\ntrack_script {\ns\n}\nnotify /bin/x me\n}");
  EXPECT_EQ(errors(), "");
  ASSERT_THAT(config.groups, SizeIs(1));
  EXPECT_EQ(config.groups[0].name, "g");
  EXPECT_THAT(config.groups[0].members, SizeIs(2));
  EXPECT_THAT(config.groups[0].tracked, SizeIs(1));
  ASSERT_THAT(config.groups[0].scripts, SizeIs(1));
  EXPECT_EQ(config.groups[0].scripts[0].state, "") << "each state";
  EXPECT_EQ(config.groups[0].scripts[0].user, "me");
  EXPECT_FALSE(config.groups[0].keeps_weights);
}

TEST_F(KeepalivedConfigTest, ANotifyScriptIsAnAbsolutePath) {
  (void)instance(kAddress + "notify_master \"mail me\"");
  EXPECT_THAT(errors(), HasSubstr("notify_master: expected the absolute path of a program"));
}

TEST_F(KeepalivedConfigTest, TheNodesNameIsThatOfTheOptionsFirst) {
  EXPECT_EQ(read("global_defs {\nrouter_id lb-a\n}", {"me", "host", "/x"}).node, "me");
  EXPECT_THAT(remarks.notes(), IsEmpty());
  EXPECT_EQ(read("global_defs {\nrouter_id \"lb a\"\n}").node, "host");
  EXPECT_THAT(remarks.notes(), SizeIs(1));
}

}  // namespace
}  // namespace vipair::ctl
