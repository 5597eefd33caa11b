#include "proxy/server/preference.h"

#include <gtest/gtest.h>

#include "proxy/http/head_parser.h"
#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

struct Fixture {
  explicit Fixture(void (*change)(Upstream&)) {
    Config config = testing::simple_config(3);
    change(config.sites[0].upstreams[0]);
    snapshot = make_snapshot(std::move(config), 1, nullptr);
  }
  const Snapshot::Upstream& upstream() const { return snapshot->upstreams[0]; }
  Preference of(const std::string& fields, const char* client = "192.0.2.7") {
    const std::string head = "GET /a/b HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    http::RequestHead parsed;
    EXPECT_EQ(http::parse_request_head(head, {}, parsed, 0).status, http::ParseStatus::complete);
    return preference_of(upstream(), parsed, head.data(), "/a/b", client, numbers.slots[0]);
  }
  std::shared_ptr<const Snapshot> snapshot;
  UpstreamNumbers numbers{1};
};

TEST(Preference, HashesWhatTheConfigurationSays) {
  Fixture by_address([](Upstream& upstream) { upstream.balancing.algorithm = policy::Algorithm::hash; });
  EXPECT_EQ(by_address.of("").key, by_address.of("X-User: 1\r\n").key);
  EXPECT_NE(by_address.of("").key, by_address.of("", "192.0.2.8").key);

  Fixture by_header([](Upstream& upstream) {
    upstream.balancing.algorithm = policy::Algorithm::hash;
    upstream.balancing.hash_on = {HashOn::Source::header, "X-User"};
  });
  EXPECT_EQ(by_header.of("x-user: 1\r\n").key, by_header.of("X-User: 1\r\n", "192.0.2.8").key);
  EXPECT_NE(by_header.of("X-User: 1\r\n").key, by_header.of("X-User: 2\r\n").key);
  EXPECT_EQ(by_header.of("").key, by_address.of("").key) << "without one it goes by the address";

  Fixture by_cookie([](Upstream& upstream) {
    upstream.balancing.algorithm = policy::Algorithm::hash;
    upstream.balancing.hash_on = {HashOn::Source::cookie, "sid"};
  });
  EXPECT_EQ(by_cookie.of("Cookie: a=1; sid=7\r\n").key, by_cookie.of("Cookie: a=2\r\nCookie: sid=7\r\n").key);
  EXPECT_EQ(by_cookie.of("Cookie: a=1\r\n").key, by_address.of("").key);

  Fixture by_path([](Upstream& upstream) {
    upstream.balancing.algorithm = policy::Algorithm::hash;
    upstream.balancing.hash_on = {HashOn::Source::path, ""};
  });
  EXPECT_EQ(by_path.of("").key, by_path.of("", "192.0.2.8").key);
}

TEST(Preference, IsTheServerOfACookieThatIsKnown) {
  Fixture f([](Upstream& upstream) {
    upstream.sticky.emplace();
    upstream.sticky->keys.emplace_back();
    upstream.sticky->cookie = "app";
  });
  const std::string field(f.upstream().sticky->field(2, false));
  const std::string cookie = field.substr(12, field.find(';') - 12);  // behind "Set-Cookie: "
  EXPECT_EQ(f.of("").server, std::nullopt);
  EXPECT_EQ(f.of("Cookie: a=b; " + cookie + "\r\n").server, 2u);
  EXPECT_EQ(f.of("Cookie: app=forged\r\nCookie: " + cookie + "\r\n").server, 2u) << "the first that is known";
  EXPECT_EQ(f.numbers.slots[0].cookies_unknown.get(), 0u);
  EXPECT_EQ(f.of("Cookie: app=forged\r\n").server, std::nullopt);
  EXPECT_EQ(f.numbers.slots[0].cookies_unknown.get(), 1u);
}

}  // namespace
}  // namespace vipair::proxy
