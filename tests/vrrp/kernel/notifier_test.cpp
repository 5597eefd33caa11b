#include "vrrp/kernel/notifier.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/runtime/clock.h"
#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using test::soon;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

JournalEntry change(const std::string& router, const std::string& from, const std::string& to,
                    const std::string& family = "ipv4") {
  JournalEntry entry;
  entry.router = router + "/" + family;
  entry.event = "state";
  entry.text = from + " → " + to;
  RoleChange role;
  role.router = router;
  role.family = family == "ipv4" ? IpFamily::ipv4 : IpFamily::ipv6;
  role.vrid = 51;
  role.from = from;
  role.to = to;
  role.addresses = {"192.0.2.100/24"};
  entry.change = role;
  return entry;
}

RouterStatus active(const std::string& router) {
  RouterStatus status;
  status.name = router;
  status.state = "active";
  status.addresses = {"192.0.2.100/24"};
  return status;
}

class NotifierTest : public testing::Test {
 protected:
  NotifierTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-notify-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder = pattern;
    std::filesystem::permissions(folder, std::filesystem::perms(0755));
  }
  ~NotifierTest() override { std::filesystem::remove_all(folder); }

  // A program with the event in $event. What it says with `told` is read by told().
  void use(const std::string& text, Duration timeout = 10s) {
    const std::string path = folder / "notify";
    const std::string log = folder / "told";
    std::ofstream(path) << "#!/bin/sh\nread -r event\ntold() { echo \"$event\" >>" << log << "; }\n"
                        << text << "\n";
    std::filesystem::permissions(path, std::filesystem::perms(0755));
    config.command = {path};
    config.timeout = timeout;
    ASSERT_TRUE(notifier.configure(config));
  }
  // "web/ipv4 backup>active" for each event that the program told, a planned move as "web/ipv4 !active".
  std::vector<std::string> told() const {
    std::vector<std::string> lines;
    std::ifstream file(folder / "told");
    for (std::string line; std::getline(file, line);) {
      const auto event = json::parse(line).as_object();
      const auto text = [&](const char* key) { return std::string(event.at(key).as_string()); };
      std::string what = text("phase") == "pre_release" ? "!" : text("from") + ">";
      if (const auto coalesced = event.at("coalesced").to_number<int>(); coalesced > 0)
        what = "+" + std::to_string(coalesced) + " " + what;
      lines.push_back(text("router") + " " + what + text("to"));
    }
    return lines;
  }
  bool is_done() {
    return soon(io, [&] { return notifier.is_idle(); });
  }
  void before_release(const std::vector<RouterStatus>& routers, std::function<void()> then) {
    notifier.before_release(monotonic_now(), routers, "handover", "an operator asked for a handover",
                            std::move(then));
  }
  void create(const char* name) const { std::ofstream(folder / name) << ""; }
  std::string wait_for(const char* name) const {
    return "while [ ! -e " + (folder / name).string() + " ]; do sleep 0.01; done; ";
  }

  boost::asio::io_context io;
  std::filesystem::path folder;
  NotifyConfig config;
  Notifier notifier{io};
};

TEST_F(NotifierTest, ProgramGetsTheEventOnStandardInput) {
  use("told");
  JournalEntry entry = change("web", "backup", "active");
  entry.change->phase = "post_acquire";
  notifier.tell(entry);
  EXPECT_FALSE(notifier.is_idle());
  ASSERT_TRUE(is_done());
  std::ifstream file(folder / "told");
  std::string line;
  std::getline(file, line);
  const auto event = json::parse(line).as_object();
  EXPECT_EQ(event.at("router").as_string(), "web/ipv4");
  EXPECT_EQ(event.at("name").as_string(), "web");
  EXPECT_EQ(event.at("vrid").as_int64(), 51);
  EXPECT_EQ(event.at("to").as_string(), "active");
  EXPECT_EQ(event.at("phase").as_string(), "post_acquire");
  EXPECT_EQ(event.at("addresses").at(0).as_string(), "192.0.2.100/24");
  EXPECT_EQ(event.at("coalesced").as_int64(), 0);
  EXPECT_FALSE(event.contains("cursor"));
  EXPECT_EQ(notifier.counters().runs, 1u);
  EXPECT_EQ(notifier.counters().failures, 0u);
}

TEST_F(NotifierTest, OtherEntriesOfTheJournalAreNotTold) {
  use("told");
  notifier.tell({});
  EXPECT_TRUE(notifier.is_idle());
}

TEST_F(NotifierTest, RouterIsToldInOrderOneAtATime) {
  use("mkdir " + (folder / "busy").string() + " || touch " + (folder / "overlap").string() +
      "; sleep 0.02; told; rmdir " + (folder / "busy").string());
  notifier.tell(change("web", "initialize", "backup"));
  notifier.tell(change("web", "initialize", "backup", "ipv6"));
  notifier.tell(change("web", "backup", "active"));
  ASSERT_TRUE(is_done());
  EXPECT_THAT(told(),
              ElementsAre("web/ipv4 initialize>backup", "web/ipv6 initialize>backup", "web/ipv4 backup>active"));
  EXPECT_FALSE(std::filesystem::exists(folder / "overlap"));
}

TEST_F(NotifierTest, RoutersDoNotWaitForEachOther) {
  use("case $event in *web*) " + wait_for("go") + ";; esac; told");
  notifier.tell(change("web", "backup", "active"));
  notifier.tell(change("mail", "backup", "active"));
  ASSERT_TRUE(soon(io, [&] { return told().size() == 1; }));
  EXPECT_THAT(told(), ElementsAre("mail/ipv4 backup>active"));
  create("go");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(told().size(), 2u);
}

TEST_F(NotifierTest, NumberOfRunsAtOnceIsBounded) {
  use(wait_for("go") + "told");
  for (int i = 0; i < 3 * Notifier::kRunsMax; ++i)
    notifier.tell(change("r" + std::to_string(i), "backup", "active"));
  EXPECT_EQ(notifier.counters().runs, static_cast<unsigned>(Notifier::kRunsMax));
  create("go");
  ASSERT_TRUE(is_done());
  EXPECT_EQ(told().size(), 3u * Notifier::kRunsMax);
}

TEST_F(NotifierTest, ProgramThatIsBehindGetsTheLatestState) {
  use(wait_for("go") + "told");
  notifier.tell(change("web", "initialize", "backup"));
  notifier.tell(change("web", "backup", "active"));
  notifier.tell(change("web", "backup", "active", "ipv6"));
  notifier.tell(change("web", "active", "backup"));
  notifier.tell(change("web", "backup", "fault"));
  create("go");
  ASSERT_TRUE(is_done());
  EXPECT_THAT(told(),
              ElementsAre("web/ipv4 initialize>backup", "web/ipv6 backup>active", "web/ipv4 +2 backup>fault"));
  EXPECT_EQ(notifier.counters().coalesced, 2u);
}

TEST_F(NotifierTest, FailureIsCountedAndTheNextEventIsTold) {
  use("told; exit 1");
  notifier.tell(change("web", "backup", "active"));
  ASSERT_TRUE(is_done());
  notifier.tell(change("web", "active", "backup"));
  ASSERT_TRUE(is_done());
  EXPECT_EQ(told().size(), 2u);
  EXPECT_EQ(notifier.counters().failures, 2u);
}

TEST_F(NotifierTest, HangingProgramIsKilledAfterItsTime) {
  use("trap '' TERM; case $event in *'\"to\":\"active\"'*) sleep 1000;; esac; told", 200ms);
  notifier.tell(change("web", "backup", "active"));
  notifier.tell(change("web", "active", "backup"));
  ASSERT_TRUE(is_done());
  EXPECT_EQ(notifier.counters().failures, 1u);
  EXPECT_THAT(told(), ElementsAre("web/ipv4 active>backup"));
}

TEST_F(NotifierTest, MissingProgramIsAFailureAndNoMore) {
  config.command = {"/no/such/program"};
  ASSERT_TRUE(notifier.configure(config));
  notifier.tell(change("web", "backup", "active"));
  ASSERT_TRUE(is_done());
  EXPECT_EQ(notifier.counters().failures, 1u);
}

TEST_F(NotifierTest, PlannedMoveWaitsForTheProgram) {
  use(wait_for("go") + "told");
  bool has_moved = false;
  before_release({active("web"), active("mail")}, [&] { has_moved = true; });
  notifier.tell(change("web", "active", "backup"));
  io.restart();
  io.run_for(50ms);
  EXPECT_FALSE(has_moved);
  create("go");
  ASSERT_TRUE(soon(io, [&] { return has_moved; }));
  ASSERT_TRUE(is_done());
  EXPECT_THAT(told(), UnorderedElementsAre("web/ipv4 !backup", "mail/ipv4 !backup", "web/ipv4 active>backup"));
}

TEST_F(NotifierTest, PlannedMoveDoesNotWaitForEver) {
  use("trap '' TERM; sleep 1000", 100ms);
  int moves = 0;
  before_release({active("web")}, [&] { ++moves; });
  ASSERT_TRUE(soon(io, [&] { return moves == 1; }));
  ASSERT_TRUE(is_done());
  EXPECT_EQ(moves, 1);
}

TEST_F(NotifierTest, PlannedMoveThatNobodyWantsToHearOfIsMadeAtOnce) {
  bool has_moved = false;
  before_release({active("web")}, [&] { has_moved = true; });
  EXPECT_TRUE(has_moved) << "no program";
  use("told");
  has_moved = false;
  before_release({}, [&] { has_moved = true; });
  EXPECT_TRUE(has_moved) << "nothing is given up";
}

TEST_F(NotifierTest, PlannedMoveIsNotForgottenWhenTheProgramLeavesTheConfiguration) {
  use(wait_for("go"));
  bool has_moved = false;
  notifier.tell(change("web", "backup", "active"));
  before_release({active("web")}, [&] { has_moved = true; });
  ASSERT_TRUE(notifier.configure({}));
  EXPECT_TRUE(has_moved);
  create("go");
  ASSERT_TRUE(is_done());
}

TEST_F(NotifierTest, PipeGetsEveryEvent) {
  const std::string path = folder / "events";
  use(wait_for("go") + "told");
  config.fifo = path;
  ASSERT_TRUE(notifier.configure(config));
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  notifier.tell(change("web", "initialize", "backup"));
  notifier.tell(change("web", "backup", "active"));
  notifier.tell(change("web", "active", "backup"));
  char buffer[65536];
  const ssize_t size = ::read(reader.get(), buffer, sizeof buffer);
  ASSERT_GT(size, 0);
  std::istringstream lines(std::string(buffer, static_cast<std::size_t>(size)));
  std::vector<std::string> states;
  for (std::string line; std::getline(lines, line);) states.emplace_back(json::parse(line).at("to").as_string());
  EXPECT_THAT(states, ElementsAre("backup", "active", "backup"));
  EXPECT_EQ(notifier.fifo_dropped(), 0u);
  create("go");
  ASSERT_TRUE(is_done());
}

TEST_F(NotifierTest, PipeThatIsNoneIsExplainedAndTheProgramIsToldAllTheSame) {
  use("told");
  create("events");
  config.fifo = folder / "events";
  EXPECT_THAT(notifier.configure(config).error(), HasSubstr("is no named pipe"));
  notifier.tell(change("web", "backup", "active"));
  ASSERT_TRUE(is_done());
  EXPECT_EQ(told().size(), 1u);
}

}  // namespace
}  // namespace vipair::vrrp
