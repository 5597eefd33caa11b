#include "proxy/policy/balancer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace vipair::policy {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{100s};

struct Server {
  bool is_up = true;
  bool is_full = false;
  TimePoint until{};
  std::uint64_t weight_now = 1, running = 0;

  Usability usability(TimePoint now) const {
    if (!is_up) return Usability::down;
    if (until > now) return Usability::ejected;
    return is_full ? Usability::full : Usability::usable;
  }
  TimePoint ejected_until() const { return until; }
  std::uint64_t weight(TimePoint) const { return weight_now; }
  std::uint64_t load() const { return running; }
};

struct Upstream {
  explicit Upstream(Algorithm algorithm, std::vector<unsigned> weights, std::size_t backups = 0)
      : servers(weights.size()) {
    for (std::size_t i = 0; i < servers.size(); ++i) servers[i].weight_now = weights[i];
    settings.algorithm = algorithm;
    settings.primaries = weights.size() - backups;
    settings.weights = std::move(weights);
    balancer = Balancer(settings);
  }
  Balancer::Choice pick(std::uint64_t key = 0, std::optional<std::size_t> excluded = {}) {
    auto server_at = [this](std::size_t index) -> const Server& { return ++asked, servers[index]; };
    return balancer.pick(server_at, kNow, key, excluded);
  }
  // "012": who was taken; "-": nobody, "f": nobody, but somebody is only full
  std::string picks(int count, std::optional<std::size_t> excluded = {}) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      const Balancer::Choice choice = pick(0, excluded);
      text += choice.index ? std::to_string(*choice.index) : choice.is_full ? "f" : "-";
    }
    return text;
  }
  std::vector<int> shares(int count) {
    std::vector<int> taken(servers.size());
    for (int i = 0; i < count; ++i) ++taken[*pick().index];
    return taken;
  }

  std::vector<Server> servers;
  Balancer::Settings settings;
  Balancer balancer;
  int asked = 0;
};

// ---- round robin -----------------------------------------------------------------------------

TEST(RoundRobin, TakesAllInTurn) {
  Upstream upstream(Algorithm::round_robin, {1, 1, 1});
  EXPECT_EQ(upstream.picks(7), "0120120");
}

TEST(RoundRobin, AsksOnlyAsFarAsItMust) {
  Upstream upstream(Algorithm::round_robin, std::vector<unsigned>(1000, 5));
  EXPECT_EQ(upstream.picks(1), "0");
  EXPECT_EQ(upstream.asked, 1);
}

TEST(RoundRobin, SkipsWhatIsDown) {
  Upstream upstream(Algorithm::round_robin, {1, 1, 1});
  upstream.servers[1].is_up = false;
  EXPECT_EQ(upstream.picks(4), "0202");
  upstream.servers[0].is_up = upstream.servers[2].is_up = false;
  EXPECT_EQ(upstream.picks(2), "--");
}

TEST(RoundRobin, SpreadsWeightsSmoothly) {
  Upstream upstream(Algorithm::round_robin, {5, 1, 1});
  EXPECT_EQ(upstream.picks(14), "00102000010200");
  upstream.servers[0].is_up = false;
  EXPECT_EQ(upstream.shares(10), (std::vector<int>{0, 5, 5}));
}

TEST(RoundRobin, FollowsAWeightThatGrows) {
  Upstream upstream(Algorithm::round_robin, {1, 1});
  upstream.settings.weights_change = true;
  upstream.balancer = Balancer(upstream.settings);
  upstream.servers[0].weight_now = 256;
  upstream.servers[1].weight_now = 64;
  EXPECT_EQ(upstream.shares(100), (std::vector<int>{80, 20}));
  upstream.servers[1].weight_now = 256;
  EXPECT_EQ(upstream.shares(100), (std::vector<int>{50, 50}));
}

// ---- whoever cannot --------------------------------------------------------------------------

TEST(Balancer, AvoidsForAWhileWhatFailed) {
  Upstream upstream(Algorithm::round_robin, {1, 1, 1});
  upstream.servers[0].until = kNow + 1ns;
  upstream.servers[1].until = kNow;  // just over
  EXPECT_EQ(upstream.picks(4), "1212");
}

TEST(Balancer, TriesTheOneWhoseEjectionEndsFirstWhenAllFailed) {
  Upstream upstream(Algorithm::round_robin, {1, 1, 1});
  for (std::size_t i = 0; i < 3; ++i)
    upstream.servers[i].until = kNow + std::chrono::seconds(3 - static_cast<int>(i));
  EXPECT_EQ(upstream.picks(3), "222");
  upstream.servers[2].is_up = false;
  EXPECT_EQ(upstream.picks(1), "1") << "but never one that its health check calls down";
}

TEST(Balancer, TakesAnotherServerForTheRetryIfThereIsOne) {
  Upstream upstream(Algorithm::round_robin, {1, 1});
  EXPECT_EQ(upstream.picks(3, 0), "111");
  upstream.servers[1].until = kNow + 1s;
  EXPECT_EQ(upstream.picks(1, 0), "1") << "an ejected one before the one that failed this request";
  upstream.servers[1].is_up = false;
  EXPECT_EQ(upstream.picks(1, 0), "0") << "there is no other";
  upstream.servers[0].is_up = false;
  EXPECT_EQ(upstream.picks(1, 0), "-");
}

TEST(Balancer, SaysThatSomebodyIsOnlyFull) {
  for (Algorithm algorithm : {Algorithm::round_robin, Algorithm::least_connections, Algorithm::random}) {
    Upstream upstream(algorithm, {1, 1, 1});
    upstream.servers[0].is_full = upstream.servers[1].is_full = true;
    EXPECT_EQ(upstream.picks(3), "222");
    upstream.servers[2].until = kNow + 1s;
    EXPECT_EQ(upstream.picks(1), "f") << "waiting for one that works is better than one that failed";
    upstream.servers[0].is_full = false;
    EXPECT_EQ(upstream.picks(1), "0");
  }
}

TEST(Balancer, TakesBackupsOnlyWithoutPrimaries) {
  for (Algorithm algorithm : {Algorithm::round_robin, Algorithm::least_connections, Algorithm::random}) {
    Upstream upstream(algorithm, {1, 1, 1}, 2);
    EXPECT_EQ(upstream.picks(2), "00");
    upstream.servers[0].until = kNow + 1s;
    EXPECT_NE(upstream.picks(6).find('1'), std::string::npos);
    EXPECT_NE(upstream.picks(20).find('2'), std::string::npos);
    EXPECT_EQ(upstream.picks(20).find('0'), std::string::npos);
    upstream.servers[1].is_up = upstream.servers[2].is_up = false;
    EXPECT_EQ(upstream.picks(1), "0") << "the ejected primary is better than nobody";
    upstream.servers[0].until = {};
    upstream.servers[0].is_full = true;
    upstream.servers[1].is_up = true;
    EXPECT_EQ(upstream.picks(1), "1") << "the primary is full";
  }
}

// ---- by load ---------------------------------------------------------------------------------

TEST(Balancer, MayHaveBackupsAloneOrNobody) {
  for (Algorithm algorithm :
       {Algorithm::round_robin, Algorithm::least_connections, Algorithm::random, Algorithm::hash}) {
    const HashRing ring(std::vector<HashRing::Member>{});
    for (const std::vector<unsigned>& weights : {std::vector<unsigned>{}, {1}, {1, 2, 1}}) {
      Upstream upstream(algorithm, weights, weights.size());
      upstream.settings.ring = &ring;
      upstream.balancer = Balancer(upstream.settings);
      EXPECT_EQ(upstream.pick().index.has_value(), !weights.empty()) << "names may not be known yet";
    }
  }
}

TEST(LeastConnections, TakesTheLeastLoaded) {
  Upstream upstream(Algorithm::least_connections, {1, 1, 1});
  upstream.servers[0].running = 2;
  upstream.servers[1].running = 1;
  upstream.servers[2].running = 3;
  EXPECT_EQ(upstream.picks(2), "11");
  upstream.servers[1].is_up = false;
  EXPECT_EQ(upstream.picks(2), "00");
}

TEST(LeastConnections, EqualsTakeTurns) {
  Upstream upstream(Algorithm::least_connections, {1, 1, 1});
  EXPECT_EQ(upstream.picks(6), "012012");
}

TEST(LeastConnections, LoadsByWeight) {
  Upstream upstream(Algorithm::least_connections, {3, 1});
  for (int i = 0; i < 40; ++i) ++upstream.servers[*upstream.pick().index].running;
  EXPECT_EQ(upstream.servers[0].running, 30u);
  EXPECT_EQ(upstream.servers[1].running, 10u);
}

TEST(RandomOfTwo, SharesByWeightWithoutLoad) {
  Upstream upstream(Algorithm::random, {2, 1, 1});
  const std::vector<int> shares = upstream.shares(8000);
  EXPECT_NEAR(shares[0], 4000, 300);
  EXPECT_NEAR(shares[1], 2000, 300);
}

TEST(RandomOfTwo, TakesTheLessLoadedOfBoth) {
  Upstream upstream(Algorithm::random, {1, 1});
  upstream.servers[0].running = 5;
  const std::vector<int> shares = upstream.shares(1000);
  EXPECT_NEAR(shares[0], 250, 80) << "only when both draws are the same";
}

TEST(RandomOfTwo, KeepsManyServersEven) {
  Upstream upstream(Algorithm::random, std::vector<unsigned>(50, 1));
  for (int i = 0; i < 5000; ++i) ++upstream.servers[*upstream.pick().index].running;
  const auto [least, most] = std::minmax_element(upstream.servers.begin(), upstream.servers.end(),
                                                 [](auto& a, auto& b) { return a.running < b.running; });
  EXPECT_LE(most->running - least->running, 10u) << "one random choice alone would be 40 apart";
}

TEST(RandomOfTwo, FindsTheOnlyOne) {
  Upstream upstream(Algorithm::random, std::vector<unsigned>(100, 1));
  for (Server& server : upstream.servers) server.is_up = false;
  EXPECT_EQ(upstream.picks(1), "-");
  upstream.servers[63].is_up = true;
  EXPECT_EQ(upstream.picks(1), "63");
}

// ---- by hash ---------------------------------------------------------------------------------

struct Hashed : Upstream {
  explicit Hashed(std::size_t count, unsigned load_max = 0)
      : Upstream(Algorithm::hash, std::vector<unsigned>(count, 1)) {
    for (std::size_t i = 0; i < count; ++i) names.push_back("10.0.0." + std::to_string(i) + ":80");
    std::vector<HashRing::Member> members;
    for (const std::string& name : names) members.push_back({name, 1});
    ring = HashRing(members);
    settings.ring = &ring;
    settings.hash_load_max = load_max;
    balancer = Balancer(settings);
  }
  std::vector<std::string> names;
  HashRing ring;
};

TEST(Hash, TheSameKeyGoesToTheSameServer) {
  Hashed upstream(5);
  for (std::uint64_t key = 0; key < 100; ++key) {
    const auto first = upstream.pick(mix(key)).index;
    EXPECT_EQ(upstream.pick(mix(key)).index, first);
    upstream.servers[*first].until = kNow + 1s;
    const auto next = upstream.pick(mix(key)).index;
    EXPECT_NE(next, first);
    EXPECT_EQ(upstream.pick(mix(key), next).index.has_value(), true);
    upstream.servers[*first].until = {};
  }
}

TEST(Hash, ABoundOnLoadMovesTheSurplusOn) {
  Hashed upstream(4, 125);
  const std::uint64_t key = mix(7);  // everybody asks for the same
  for (int i = 0; i < 400; ++i) ++upstream.servers[*upstream.pick(key).index].running;
  for (const Server& server : upstream.servers) EXPECT_LE(server.running, 126u);
  Hashed unbounded(4);
  for (int i = 0; i < 400; ++i) ++unbounded.servers[*unbounded.pick(key).index].running;
  EXPECT_TRUE(std::any_of(unbounded.servers.begin(), unbounded.servers.end(),
                          [](const Server& server) { return server.running == 400; }));
}

}  // namespace
}  // namespace vipair::policy
