#include "common/base/gate_protocol.h"

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(GateProtocol, MessagesSurviveTheWay) {
  EXPECT_EQ(encode(ProxyReport{true, ""}), "ready");
  EXPECT_EQ(encode(ProxyReport{false, "worker 2 hangs"}), "not-ready worker 2 hangs");
  EXPECT_EQ(encode(ProxyReport{true, "", {3, 4}}), "ready upstreams=3/4");
  EXPECT_EQ(encode(NodeRole::active), "active");
  EXPECT_EQ(encode(NodeRole::standby), "standby");
  for (const ProxyReport& report :
       {ProxyReport{true, ""}, ProxyReport{true, "", {0, 4'000'000'000}}, ProxyReport{false, "starting"}})
    EXPECT_EQ(decode_proxy_report(encode(report)), report);
  for (NodeRole role : {NodeRole::active, NodeRole::standby}) EXPECT_EQ(decode_node_role(encode(role)), role);
}

TEST(GateProtocol, WhatIsSentCanAlwaysBeRead) {
  for (const std::string& reason : {std::string(), std::string("a\nb\x1b[31m\x80"), std::string(10'000, 'x')}) {
    std::string message = encode(ProxyReport{false, reason});
    EXPECT_LE(message.size(), kGateMessageMax);
    auto report = decode_proxy_report(message);
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->is_ready);
    EXPECT_FALSE(report->reason.empty());
  }
}

TEST(GateProtocol, RefusesEverythingElse) {
  using namespace std::string_view_literals;
  for (std::string_view message : {""sv,
                                   "Ready"sv,
                                   "ready "sv,
                                   "ready\n"sv,
                                   "ready\0"sv,
                                   " ready"sv,
                                   "not-ready"sv,
                                   "not-ready "sv,
                                   "not-ready a\nb"sv,
                                   "not-ready \x1b[31m"sv,
                                   "not-ready \x80"sv,
                                   "active"sv,
                                   "\0"sv,
                                   "ready upstreams="sv,
                                   "ready upstreams=1"sv,
                                   "ready upstreams=1/"sv,
                                   "ready upstreams=/1"sv,
                                   "ready upstreams=2/1"sv,
                                   "ready upstreams=0/0"sv,
                                   "ready upstreams=-1/2"sv,
                                   "ready upstreams=1/2 "sv,
                                   "ready upstreams=1/2\0"sv,
                                   "ready upstreams=1/4294967296"sv})
    EXPECT_FALSE(decode_proxy_report(message)) << message;
  EXPECT_FALSE(decode_proxy_report("not-ready " + std::string(kGateMessageMax, 'x')));
  for (std::string_view message : {""sv, "Active"sv, "active "sv, "active\0"sv, "standby\n"sv, "ready"sv})
    EXPECT_FALSE(decode_node_role(message)) << message;
}

}  // namespace
}  // namespace vipair
