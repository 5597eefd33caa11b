#include "proxy/server/guard.h"

#include <gtest/gtest.h>

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using policy::Refusal;

constexpr TimePoint kNow{1h};

std::vector<IpPrefix> networks(const char* text) { return {*IpPrefix::parse(text)}; }

struct Levels {
  Protection proxy, site, route;
  LimitTables tables{7};
  RunningHolds holds;
  Duration retry_after{};

  std::string check(const char* client) {
    const auto a = Guard::make(proxy, "proxy"), b = Guard::make(site, "site"), c = Guard::make(route, "route");
    const Guards guards{a.get(), b.get(), c.get()};
    const auto refusal = proxy::check(guards, &tables, *IpAddress::parse(client), kNow, holds, retry_after);
    return refusal ? policy::to_string(*refusal) : "passes";
  }
};

TEST(Guard, IsThereOnlyWhenItHasSomethingToDo) {
  EXPECT_EQ(Guard::make({}, "a"), nullptr);
  Protection nobody;
  nobody.allow.emplace();
  EXPECT_NE(Guard::make(nobody, "a"), nullptr) << "allow = [ ] lets nobody in";
}

TEST(Guard, DeniesAtEveryLevelAndAllowsAtTheInnermost) {
  Levels levels;
  levels.proxy.deny = networks("192.0.2.66");
  levels.site.allow = networks("192.0.2.0/24");
  EXPECT_EQ(levels.check("192.0.2.1"), "passes");
  EXPECT_EQ(levels.check("192.0.2.66"), "address_denied");
  EXPECT_EQ(levels.check("198.51.100.1"), "address_denied");
  levels.route.allow = networks("0.0.0.0/0");
  EXPECT_EQ(levels.check("198.51.100.1"), "passes") << "the route's list in place of the site's";
  EXPECT_EQ(levels.check("192.0.2.66"), "address_denied") << "what the proxy denies stays denied";
  levels.route.allow.emplace();
  EXPECT_EQ(levels.check("192.0.2.1"), "address_denied");
}

TEST(Guard, LimitsRatesOfEachAddressAndOfAll) {
  Levels levels;
  levels.site.rate_limits = {{10, 1s, 2, true}};
  levels.route.rate_limits = {{1, 1s, 3, false}};
  EXPECT_EQ(levels.check("192.0.2.1"), "passes");
  EXPECT_EQ(levels.check("192.0.2.1"), "passes");
  EXPECT_EQ(levels.check("192.0.2.1"), "rate");
  EXPECT_EQ(levels.retry_after, 100ms);
  EXPECT_EQ(levels.check("192.0.2.2"), "passes") << "another address, and the third of all";
  EXPECT_EQ(levels.check("192.0.2.3"), "rate");
  EXPECT_EQ(levels.retry_after, 1s);
}

TEST(Guard, LimitsWhatRunsAtOnce) {
  Levels levels;
  levels.proxy.connection_limit = {2, 0};
  levels.site.connection_limit = {1, 2};
  EXPECT_EQ(levels.check("192.0.2.1"), "passes");
  RunningHolds first = std::move(levels.holds);
  EXPECT_EQ(levels.check("192.0.2.1"), "running_requests");
  for (const auto& hold : levels.holds) EXPECT_FALSE(hold.is_counted()) << "what is refused holds nothing";
  EXPECT_EQ(levels.check("192.0.2.2"), "passes");
  RunningHolds second = std::move(levels.holds);
  EXPECT_EQ(levels.check("192.0.2.3"), "running_requests") << "the third of all";
  for (auto& hold : first) hold.release();
  EXPECT_EQ(levels.check("192.0.2.3"), "passes");
}

TEST(Guard, AsksForThePasswordOfTheInnermostLevel) {
  Protection site, route;
  site.basic_auth.emplace();
  site.basic_auth->realm = "the site";
  const auto outer = Guard::make(site, "site");
  EXPECT_EQ(asks_for_password({nullptr, outer.get(), nullptr}), outer.get());
  EXPECT_EQ(outer->challenge, "WWW-Authenticate: Basic realm=\"the site\", charset=\"UTF-8\"\r\n");
  route.basic_auth.emplace();
  route.basic_auth->is_enabled = false;
  const auto inner = Guard::make(route, "route");
  EXPECT_EQ(asks_for_password({nullptr, outer.get(), inner.get()}), nullptr);
  EXPECT_EQ(asks_for_password({nullptr, nullptr, nullptr}), nullptr);
}

}  // namespace
}  // namespace vipair::proxy
