#include "vrrp/kernel/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const Clocks kClocks{TimePoint{1000s}, WallTime{1'795'150'800'123ms}};

// Does nothing and remembers what it was asked.
struct Recorder : Operations {
  std::string status() override { return "status"; }
  std::string metrics() override { return "metrics"; }
  std::string plan() override { return "plan"; }
  ConfigErrors reload() override { return errors; }
  void handover(const std::optional<std::string>& router, Done done) override {
    asked = "handover " + router.value_or("all");
    pending = std::move(done);
  }
  void drain(bool force, Done done) override {
    asked = force ? "drain by force" : "drain";
    pending = std::move(done);
  }
  void undrain(Done done) override {
    asked = "undrain";
    pending = std::move(done);
  }
  void doctor(std::function<void(std::string)> done) override { diagnosed = std::move(done); }

  ConfigErrors errors;
  std::string asked;
  Done pending;
  std::function<void(std::string)> diagnosed;
};

class ControlTest : public testing::Test {
 protected:
  ControlResponse ask(const std::string& method, const std::string& path, const std::string& query = "") {
    return control.answer({method, path, query, "", true});
  }
  void happen(const std::string& text) {
    control.add({kClocks.now, JournalEntry::Level::info, "web/ipv4", "state", text}, kClocks);
  }
  Recorder recorder;
  Control control{recorder};
};

TEST_F(ControlTest, EachPathHasItsMethod) {
  for (const char* path : {"/status", "/metrics", "/events", "/plan"}) {
    EXPECT_EQ(ask("GET", path).status, 200) << path;
    EXPECT_EQ(ask("POST", path).status, 405) << path;
  }
  for (const char* path : {"/reload", "/handover", "/drain", "/undrain", "/doctor"}) {
    EXPECT_EQ(ask("POST", path).status, 200) << path;
    EXPECT_EQ(ask("GET", path).status, 405) << path;
  }
  const ControlResponse unknown = ask("GET", "/nope");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("/status, /metrics, /events"));
}

TEST_F(ControlTest, QueryIsReadStrictly) {
  for (const char* query : {"after=", "after=x", "after=1x", "after=-1", "before=1", "a", "after",
                            "after=1&after=2", "after=%3", "after=%zz", "after=18446744073709551616"})
    EXPECT_EQ(ask("GET", "/events", query).status, 400) << query;
  EXPECT_EQ(ask("GET", "/status", "verbose=1").body,
            R"({"error":"unexpected \"verbose=1\" in the query; it takes none"})");
  EXPECT_EQ(ask("GET", "/events", "after=%31").status, 200);
  ask("POST", "/handover", "router=a%20b");
  EXPECT_EQ(recorder.asked, "handover a b");
}

TEST_F(ControlTest, MovesAreAnsweredWhenTheyAreDone) {
  ControlResponse response = ask("POST", "/handover");
  EXPECT_EQ(recorder.asked, "handover all");
  ASSERT_TRUE(response.later);
  EXPECT_FALSE(response.later->take());
  recorder.pending({});
  auto answer = response.later->take();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, R"({"handed_over":true})");

  response = ask("POST", "/drain", "force=1");
  EXPECT_EQ(recorder.asked, "drain by force");
  recorder.pending(Unexpected{std::string("the peer is not heard")});
  answer = response.later->take();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 409);
  EXPECT_EQ(answer->body, R"({"error":"the peer is not heard"})");

  ask("POST", "/drain", "force=0");
  EXPECT_EQ(recorder.asked, "drain");
  ask("POST", "/undrain");
  EXPECT_EQ(recorder.asked, "undrain");
}

TEST_F(ControlTest, RefusedReloadListsItsErrors) {
  EXPECT_EQ(ask("POST", "/reload").body, R"({"reloaded":true})");
  recorder.errors = {{"node.conf", 3, "priority", "is wrong"}};
  const ControlResponse refused = ask("POST", "/reload");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("node.conf:3: priority: is wrong"));
}

TEST_F(ControlTest, DiagnosisComesLater) {
  const ControlResponse response = ask("POST", "/doctor");
  ASSERT_TRUE(response.later);
  recorder.diagnosed("[]");
  EXPECT_EQ(response.later->take()->body, "[]");
}

TEST_F(ControlTest, FollowersGetWhatWasAndWhatComes) {
  happen("first");
  happen("second");
  const ControlResponse all = ask("GET", "/events", "follow=1");
  const ControlResponse newer = ask("GET", "/events", "follow=1&after=1");
  ASSERT_TRUE(all.stream && newer.stream);
  EXPECT_EQ(all.content_type, "application/x-ndjson");
  EXPECT_THAT(all.body, HasSubstr("first"));
  EXPECT_EQ(newer.body,
            R"({"cursor":2,"at":"2026-11-20T05:00:00.123Z","level":"info","router":"web/ipv4","event":"state",)"
            R"("text":"second"})"
            "\n");
  happen("third");
  for (const auto& response : {all, newer}) {
    const std::string told = response.stream->take();
    EXPECT_TRUE(told.starts_with(R"({"cursor":3,)")) << told;
    EXPECT_TRUE(told.ends_with("\"third\"}\n")) << told;
  }
  EXPECT_EQ(ask("GET", "/events", "after=3").body, "[]");
}

TEST_F(ControlTest, FollowersThatWentAreForgotten) {
  const ControlResponse gone = ask("GET", "/events", "follow=1");
  gone.stream->end();
  EXPECT_EQ(gone.stream.use_count(), 2);
  happen("first");
  EXPECT_EQ(gone.stream.use_count(), 1);
  EXPECT_EQ(gone.stream->take(), "");
}

TEST_F(ControlTest, EndOfTheAgentEndsTheStreams) {
  const ControlResponse follower = ask("GET", "/events", "follow=1");
  happen("last");
  control.end_streams();
  EXPECT_TRUE(follower.stream->has_ended());
  EXPECT_THAT(follower.stream->take(), HasSubstr("last"));
}

TEST_F(ControlTest, FollowerTooSlowIsTold) {
  const ControlResponse slow = ask("GET", "/events", "follow=1");
  for (int i = 0; i < 2000 && !slow.stream->has_ended(); ++i) happen(std::string(1000, 'x'));
  EXPECT_TRUE(slow.stream->was_cut());
  EXPECT_TRUE(slow.stream->take().ends_with("ask again with after=the last cursor\"}\n"));
}

}  // namespace
}  // namespace vipair::vrrp
