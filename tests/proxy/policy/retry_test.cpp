#include "proxy/policy/retry.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::policy {
namespace {

using http::Method;

TEST(Retry, HappensWhenTheRequestNeverLeft) {
  for (Cause cause : {Cause::refused, Cause::unreachable, Cause::timed_out, Cause::reset}) {
    EXPECT_TRUE(may_retry({Side::upstream, Stage::connect, cause, false}, {.method = Method::post}))
        << to_string(cause);
  }
  EXPECT_TRUE(may_retry({Side::upstream, Stage::request_head, Cause::reset, false},
                        {.is_reused_connection = true, .method = Method::post}));
}

TEST(Retry, HappensOnceWhenAReusedConnectionWasClosedMeanwhile) {
  struct Case {
    const char* what;
    ProxyError error;
    Attempt attempt;
    bool expected;
  };
  const ProxyError reset{Side::upstream, Stage::response_head, Cause::reset, true};
  const ProxyError closed{Side::upstream, Stage::response_head, Cause::closed, true};
  const Case cases[] = {
      {"GET", reset, {.is_reused_connection = true}, true},
      {"end of file is the same as a reset", closed, {.is_reused_connection = true}, true},
      {"while sending",
       {Side::upstream, Stage::request_body, Cause::reset, true},
       {.is_reused_connection = true},
       true},
      {"PUT is idempotent", reset, {.is_reused_connection = true, .method = Method::put}, true},
      {"DELETE is idempotent", reset, {.is_reused_connection = true, .method = Method::delete_}, true},
      {"POST is not", reset, {.is_reused_connection = true, .method = Method::post}, false},
      {"PATCH is not", reset, {.is_reused_connection = true, .method = Method::patch}, false},
      {"nobody knows of others", reset, {.is_reused_connection = true, .method = Method::other}, false},
      {"a new connection was not idle", reset, {.is_reused_connection = false}, false},
      {"the response has begun", reset, {.is_reused_connection = true, .response_started = true}, false},
      {"the last server too may have closed one", reset, {.number = 2, .is_reused_connection = true}, true},
      {"only so often", reset, {.number = 3, .is_reused_connection = true}, false},
      {"the body is gone", reset, {.is_reused_connection = true, .can_replay_body = false}, false},
      {"it may be working on it",
       {Side::upstream, Stage::response_head, Cause::timed_out, true},
       {.is_reused_connection = true},
       false},
      {"it has answered nonsense",
       {Side::upstream, Stage::response_head, Cause::bad_message, true},
       {.is_reused_connection = true},
       false},
  };
  for (const Case& c : cases) EXPECT_EQ(may_retry(c.error, c.attempt), c.expected) << c.what;
}

TEST(Retry, TriesAsManyServersAsItIsTold) {
  const ProxyError refused{Side::upstream, Stage::connect, Cause::refused, false};
  EXPECT_FALSE(may_retry(refused, {.number = 1}, {.attempts = 1}));
  const ProxyError closed{Side::upstream, Stage::response_head, Cause::closed, true};
  EXPECT_TRUE(may_retry(closed, {.number = 1, .is_reused_connection = true}, {.attempts = 1}))
      << "a new connection to the same server";
  EXPECT_TRUE(may_retry(refused, {.number = 2}, {.attempts = 3}));
  EXPECT_FALSE(may_retry(refused, {.number = 3}, {.attempts = 3}));
}

TEST(Retry, OfWhatMayBeDoneTwiceIsTheOperatorsChoice) {
  const ProxyError reset{Side::upstream, Stage::response_head, Cause::reset, true};
  const RetrySettings settings{.idempotent = true};
  EXPECT_TRUE(may_retry(reset, {}, settings));
  EXPECT_FALSE(may_retry(reset, {.method = Method::post}, settings));
  EXPECT_FALSE(may_retry(reset, {.response_started = true}, settings));
  EXPECT_FALSE(may_retry({Side::upstream, Stage::response_head, Cause::timed_out, true}, {}, settings));
}

TEST(RetryBudget, GrowsWithRequestsUpToABurst) {
  RetryBudget budget;
  unsigned spent = 0;
  while (budget.spend()) ++spent;
  EXPECT_EQ(spent, RetryBudget::kBurst);
  const RetrySettings settings{.budget = 20};
  for (int i = 0; i < 4; ++i) budget.earn(settings);
  EXPECT_FALSE(budget.spend());
  budget.earn(settings);
  EXPECT_TRUE(budget.spend());
  EXPECT_FALSE(budget.spend());
  for (int i = 0; i < 100000; ++i) budget.earn(settings);
  for (spent = 0; budget.spend();) ++spent;
  EXPECT_EQ(spent, RetryBudget::kBurst);
}

TEST(Retry, DoesNotHappenWhenItCannotHelp) {
  EXPECT_FALSE(may_retry({Side::client, Stage::request_body, Cause::reset, false}, {}));
  EXPECT_FALSE(may_retry({Side::proxy, Stage::connect, Cause::internal, false}, {}));
  EXPECT_FALSE(may_retry({Side::upstream, Stage::pick, Cause::no_server, false}, {}));
  EXPECT_FALSE(may_retry({Side::upstream, Stage::connect, Cause::refused, false}, {.number = 2}));
  EXPECT_FALSE(may_retry({Side::upstream, Stage::connect, Cause::refused, false}, {.can_replay_body = false}));
}

TEST(Retry, TellsTheClientWhoFailed) {
  struct Case {
    ProxyError error;
    std::optional<int> status;
  };
  const Case cases[] = {
      {{Side::upstream, Stage::connect, Cause::refused, false}, 502},
      {{Side::upstream, Stage::connect, Cause::unreachable, false}, 502},
      {{Side::upstream, Stage::connect, Cause::timed_out, false}, 504},
      {{Side::upstream, Stage::response_head, Cause::timed_out, true}, 504},
      {{Side::upstream, Stage::response_head, Cause::closed, true}, 502},
      {{Side::upstream, Stage::response_head, Cause::bad_message, true}, 502},
      {{Side::upstream, Stage::response_head, Cause::too_large, true}, 502},
      {{Side::upstream, Stage::pick, Cause::no_server, false}, 503},
      {{Side::proxy, Stage::pick, Cause::no_server, false}, 503},
      {{Side::proxy, Stage::connect, Cause::exhausted, false}, 503},
      {{Side::proxy, Stage::connect, Cause::internal, false}, 500},
      {{Side::client, Stage::request_head, Cause::timed_out, false}, 408},
      {{Side::client, Stage::request_body, Cause::too_large, true}, 413},
      {{Side::client, Stage::request_body, Cause::bad_message, true}, 400},
      {{Side::client, Stage::request_body, Cause::closed, true}, std::nullopt},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(status_for(c.error, false), c.status)
        << to_string(c.error.side) << " " << to_string(c.error.stage) << " " << to_string(c.error.cause);
    EXPECT_EQ(status_for(c.error, true), std::nullopt) << "a response that has begun can only be cut off";
  }
}

TEST(Retry, NamesWhatItSays) {
  EXPECT_STREQ(to_string(Side::upstream), "upstream");
  EXPECT_STREQ(to_string(Stage::response_head), "response_head");
  EXPECT_STREQ(to_string(Cause::timed_out), "timed_out");
}

}  // namespace
}  // namespace vipair::policy
