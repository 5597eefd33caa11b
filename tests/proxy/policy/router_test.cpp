#include "proxy/policy/router.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace vipair::policy {
namespace {

// "site/route" with "-" for none.
template <class Takes>
std::string at(const Router& router, std::string_view host, std::string_view path, Takes takes) {
  auto text = [](std::optional<std::size_t> index) { return index ? std::to_string(*index) : std::string("-"); };
  const auto site = router.find_site(host);
  return text(site) + "/" + (site ? text(router.find_route(*site, path, takes)) : "-");
}
std::string at(const Router& router, std::string_view host, std::string_view path) {
  return at(router, host, path, [](std::size_t) { return true; });
}

Router hosts_router() {
  Router router;
  for (std::string_view pattern :
       {"example.com", "*.example.com", "*.b.example.com", "a.b.example.com", "*", "[2001:db8::1]"}) {
    auto site = router.add_site();
    EXPECT_TRUE(router.add_host(site, pattern));
    EXPECT_EQ(router.add_prefix(site, "/"), 0U);
  }
  return router;
}

TEST(Router, FindsTheMostExactHost) {
  const Router router = hosts_router();
  EXPECT_EQ(at(router, "example.com", "/"), "0/0");
  EXPECT_EQ(at(router, "www.example.com", "/"), "1/0");
  EXPECT_EQ(at(router, "x.y.example.com", "/"), "1/0") << "any depth";
  EXPECT_EQ(at(router, "b.example.com", "/"), "1/0") << "a wildcard does not stand for its own name";
  EXPECT_EQ(at(router, "x.b.example.com", "/"), "2/0") << "the longest suffix";
  EXPECT_EQ(at(router, "x.a.b.example.com", "/"), "2/0");
  EXPECT_EQ(at(router, "a.b.example.com", "/"), "3/0") << "an exact name before any wildcard";
  EXPECT_EQ(at(router, "badexample.com", "/"), "4/0") << "labels, not letters";
  EXPECT_EQ(at(router, "com", "/"), "4/0");
  EXPECT_EQ(at(router, "", "/"), "4/0") << "HTTP/1.0 without Host";
  EXPECT_EQ(at(router, "[2001:db8::1]", "/"), "5/0");
}

TEST(Router, ServesNobodyElsesHostWithoutADefault) {
  Router router;
  auto site = router.add_site();
  ASSERT_TRUE(router.add_host(site, "a.example"));
  EXPECT_EQ(at(router, "b.example", "/"), "-/-");
  EXPECT_EQ(at(router, "", "/"), "-/-");
  EXPECT_EQ(at(router, "a.example", "/"), "0/-") << "a site without routes has nothing";
}

TEST(Router, FindsTheExactRouteThenTheLongestPrefix) {
  Router router;
  auto site = router.add_site();
  ASSERT_TRUE(router.add_host(site, "*"));
  EXPECT_EQ(router.add_prefix(site, "/"), 0U);
  EXPECT_EQ(router.add_prefix(site, "/app"), 1U);
  EXPECT_EQ(router.add_prefix(site, "/app/api/v1"), 2U);
  EXPECT_EQ(router.add_prefix(site, "/files/"), 3U);
  EXPECT_EQ(router.add_exact(site, "/app"), 4U);
  EXPECT_EQ(router.add_exact(site, "/favicon.ico"), 5U);
  struct Case {
    std::string_view path;
    std::string_view expected;
  };
  for (const Case& c :
       {Case{"/", "0/0"}, Case{"/x", "0/0"}, Case{"/apple", "0/0"}, Case{"/app", "0/4"}, Case{"/app/", "0/1"},
        Case{"/app/x", "0/1"}, Case{"/app/api", "0/1"}, Case{"/app/api/v1", "0/2"}, Case{"/app/api/v1/x/y", "0/2"},
        Case{"/app/api/v10", "0/1"}, Case{"/files", "0/0"}, Case{"/files/", "0/3"}, Case{"/files/a", "0/3"},
        Case{"/favicon.ico", "0/5"}, Case{"/favicon.ico/x", "0/0"}, Case{"/App", "0/0"}, Case{"//app", "0/0"},
        Case{"*", "0/0"}, Case{"", "0/-"}}) {
    EXPECT_EQ(at(router, "any", c.path), c.expected) << c.path;
  }
}

TEST(Router, HasNothingOutsideOfItsPrefixes) {
  Router router;
  auto site = router.add_site();
  ASSERT_TRUE(router.add_host(site, "*"));
  ASSERT_EQ(router.add_prefix(site, "/app"), 0U);
  EXPECT_EQ(at(router, "any", "/"), "0/-");
  EXPECT_EQ(at(router, "any", "/ap"), "0/-");
  EXPECT_EQ(at(router, "any", "*"), "0/-");
}

TEST(Router, RefusesWhatIsTaken) {
  Router router;
  auto one = router.add_site();
  auto two = router.add_site();
  for (std::string_view pattern : {"a.example", "*.a.example", "*"}) {
    EXPECT_TRUE(router.add_host(one, pattern));
    EXPECT_FALSE(router.add_host(two, pattern)) << pattern;
  }
  EXPECT_EQ(router.add_prefix(one, "/a"), 0U);
  EXPECT_EQ(router.add_exact(one, "/a"), 1U) << "an exact route may stand beside a prefix";
  EXPECT_EQ(router.add_prefix(two, "/a"), 0U) << "each site has its own paths";
  EXPECT_EQ(at(router, "a.example", "/a"), "0/1");
}

TEST(Router, AsksThePatternsBetweenTheExactRouteAndThePrefixes) {
  Router router;
  auto site = router.add_site();
  ASSERT_TRUE(router.add_host(site, "*"));
  router.add_prefix(site, "/");                  // 0
  router.add_pattern(site);                      // 1
  router.add_prefix(site, "/images/long/path");  // 2
  router.add_pattern(site);                      // 3
  router.add_exact(site, "/a");                  // 4
  std::string asked;
  auto with = [&](std::string_view path, std::size_t matching) {
    asked.clear();
    return at(router, "any", path, [&, matching](std::size_t route) {
      asked += std::to_string(route);
      return (route != 1 && route != 3) || route == matching;
    });
  };
  EXPECT_EQ(with("/images/long/path", 3), "0/3") << "a pattern before the longest prefix, as nginx has it";
  EXPECT_EQ(asked, "13") << "in the file's order";
  EXPECT_EQ(with("/images/long/path", 99), "0/2");
  EXPECT_EQ(with("/a", 1), "0/4") << "an exact route before any pattern";
  EXPECT_EQ(asked, "4");
}

TEST(Router, AsksRoutesOfOnePathInTurnAndThenTheNextBestPath) {
  Router router;
  auto site = router.add_site();
  ASSERT_TRUE(router.add_host(site, "*"));
  router.add_prefix(site, "/api");  // 0
  router.add_prefix(site, "/");     // 1
  router.add_prefix(site, "/api");  // 2
  router.add_exact(site, "/api");   // 3
  router.add_prefix(site, "/api");  // 4
  std::string asked;
  EXPECT_EQ(at(router, "any", "/api",
               [&](std::size_t route) {
                 asked += std::to_string(route);
                 return route == 1;
               }),
            "0/1");
  EXPECT_EQ(asked, "30241");
}

TEST(Router, RefusesConnectAndTrace) {
  EXPECT_TRUE(is_refused(http::Method::connect));
  EXPECT_TRUE(is_refused(http::Method::trace));
  EXPECT_FALSE(is_refused(http::Method::get));
  EXPECT_FALSE(is_refused(http::Method::other));
}

// Ten thousand hosts cost no more than one: the number of lookups is bounded by labels and segments. A factor of 50
// lies far from both a hash (1 to 3, memory) and a list (thousands).
TEST(Router, DoesNotSlowDownWithTheNumberOfHosts) {
  auto build = [](int hosts) {
    Router router;
    for (int i = 0; i < hosts; ++i) {
      auto site = router.add_site();
      EXPECT_TRUE(router.add_host(site, "host" + std::to_string(i) + ".example.com"));
      EXPECT_TRUE(router.add_host(site, "*.wild" + std::to_string(i) + ".example.com"));
      EXPECT_EQ(router.add_prefix(site, "/"), 0U);
    }
    return router;
  };
  auto seconds = [](const Router& router, int hosts) {
    auto best = std::chrono::nanoseconds::max();
    for (int round = 0; round < 5; ++round) {
      std::size_t found = 0;
      auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 2000; ++i) {
        const auto site = router.find_site(i % 2 == 0 ? "host0.example.com" : "a.b.wild0.example.com");
        const auto route = router.find_route(*site, "/some/path/to/a/page", [](std::size_t) { return true; });
        found += route.has_value() ? 1 : 0;
      }
      best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - start);
      EXPECT_EQ(found, 2000U) << hosts;
    }
    return best;
  };
  const Router one = build(1);
  const Router many = build(10000);
  EXPECT_EQ(at(many, "host9999.example.com", "/x"), "9999/0");
  EXPECT_EQ(at(many, "x.wild1234.example.com", "/x"), "1234/0");
  EXPECT_LT(seconds(many, 10000), 50 * seconds(one, 1));
}

}  // namespace
}  // namespace vipair::policy
