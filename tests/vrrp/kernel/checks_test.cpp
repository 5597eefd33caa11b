#include "vrrp/kernel/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::Server;
using test::soon;
using testing::HasSubstr;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class ChecksTest : public testing::Test {
 protected:
  struct Result {
    std::string name;
    bool success;
    std::string reason;
  };
  ChecksTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-checks-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder = pattern;
  }
  ~ChecksTest() override { std::filesystem::remove_all(folder); }

  static CheckConfig check(const std::string& name, decltype(CheckConfig::what) what, Duration interval = 20ms,
                           Duration timeout = 10s) {
    CheckConfig config;
    config.name = name;
    config.what = std::move(what);
    config.interval = interval;
    config.timeout = timeout;
    return config;
  }
  int results_of(const std::string& name) const {
    return static_cast<int>(
        std::count_if(results.begin(), results.end(), [&](const Result& result) { return result.name == name; }));
  }
  void run_for(std::chrono::milliseconds time) {
    io.restart();
    io.run_for(time);
  }

  boost::asio::io_context io;
  std::filesystem::path folder;
  std::vector<Result> results;
  Checks checks{io, [this](std::string_view name, bool success, std::string reason) {
                  results.push_back({std::string(name), success, std::move(reason)});
                }};
};

TEST_F(ChecksTest, EachRunIsTold) {
  const Server server(Server::wait_for_end);
  checks.configure({check("up", TcpCheck{"127.0.0.1", server.port()}),
                    check("down", TcpCheck{"127.0.0.1", test::closed_port()})});
  ASSERT_TRUE(soon(io, [&] { return results_of("up") >= 3 && results_of("down") >= 3; }));
  for (const Result& result : results) {
    EXPECT_EQ(result.success, result.name == "up");
    EXPECT_FALSE(result.reason.empty());
  }
  EXPECT_EQ(checks.counters().runs, results.size());
  EXPECT_EQ(checks.counters().failures, static_cast<unsigned>(results_of("down")));
}

TEST_F(ChecksTest, RunsKeepTheirInterval) {
  checks.configure({check("down", TcpCheck{"127.0.0.1", test::closed_port()}, 50ms)});
  run_for(1s);
  EXPECT_LE(results_of("down"), 21);
  EXPECT_GE(results_of("down"), 2) << "however busy the machine";
}

TEST_F(ChecksTest, RunThatTakesTooLongIsAFailure) {
  const Server server(Server::wait_for_end);
  HttpCheck http;
  http.host = "127.0.0.1";
  http.port = server.port();
  checks.configure({check("app", http, 1h, 50ms)});
  ASSERT_TRUE(soon(io, [&] { return results_of("app") >= 1; }));
  EXPECT_FALSE(results[0].success);
  EXPECT_THAT(results[0].reason, StartsWith("timeout after 50 ms: 127.0.0.1:"));
  EXPECT_THAT(results[0].reason, HasSubstr("does not answer"));
  EXPECT_EQ(checks.counters().timeouts, 1u);
}

// SIGSTOP, a paused virtual machine: the answer may well have come in time.
TEST_F(ChecksTest, TimeoutThatThisProcessSleptThroughProvesNothing) {
  const Server server([](int client) {
    Server::read_request(client);
    Server::wait_for_end(client);
  });
  HttpCheck http;
  http.host = "127.0.0.1";
  http.port = server.port();
  checks.configure({check("app", http, 1h, 400ms)});
  run_for(100ms);  // it is under way
  std::this_thread::sleep_for(400ms + 2 * Checks::kOverslept);
  io.restart();
  io.poll();
  EXPECT_TRUE(results.empty());
  ASSERT_TRUE(soon(io, [&] { return !results.empty(); })) << "it looks again";
}

TEST_F(ChecksTest, RunNeverOverlapsItself) {
  const std::string script = folder / "script";
  std::ofstream(script) << "#!/bin/sh\nmkdir " << folder.string() << "/busy || touch " << folder.string()
                        << "/overlap\nsleep 0.1\nrmdir " << folder.string() << "/busy\n";
  std::filesystem::permissions(script, std::filesystem::perms(0755));
  checks.configure({check("slow", ScriptCheck{{script}, ""}, 10ms)});
  ASSERT_TRUE(soon(io, [&] { return results_of("slow") >= 3; }));
  EXPECT_FALSE(std::filesystem::exists(folder / "overlap"));
}

TEST_F(ChecksTest, ChangeIsLookedAtAtOnceAndToldOnce) {
  checks.configure({check("works", FileCheck{folder / "maintenance"}, 1h)});
  ASSERT_TRUE(soon(io, [&] { return results_of("works") == 1; }));
  EXPECT_TRUE(results[0].success);
  std::ofstream(folder / "maintenance") << "";
  ASSERT_TRUE(soon(io, [&] { return results_of("works") == 2; }));
  EXPECT_FALSE(results[1].success);
  std::filesystem::rename(folder / "maintenance", folder / "other");
  std::filesystem::rename(folder / "other", folder / "maintenance");
  run_for(50ms);
  EXPECT_FALSE(results.back().success);
  const std::size_t before = results.size();
  std::ofstream(folder / "maintenance.new") << "";
  std::filesystem::rename(folder / "maintenance.new", folder / "maintenance");
  run_for(50ms);
  EXPECT_EQ(results.size(), before) << "still there: nothing new";
}

TEST_F(ChecksTest, UnchangedChecksGoOnThroughAReload) {
  const auto file = check("works", FileCheck{folder / "maintenance"}, 1h);
  auto other = check("other", FileCheck{folder / "other"}, 1h);
  checks.configure({file, other});
  ASSERT_TRUE(soon(io, [&] { return results.size() == 2; }));
  other.what = FileCheck{folder / "another"};
  checks.configure({file, other});
  ASSERT_TRUE(soon(io, [&] { return results.size() == 3; }));
  EXPECT_EQ(results[2].name, "other") << "the first one goes on waiting for its hour";
  run_for(50ms);
  EXPECT_EQ(results.size(), 3u);
  checks.configure({});
  std::ofstream(folder / "maintenance") << "";
  run_for(50ms);
  EXPECT_EQ(results.size(), 3u) << "nobody looks any more";
}

// Who counts rises and falls begins anew then.
TEST_F(ChecksTest, CheckWithAnotherMeaningIsToldAgainSoon) {
  auto file = check("works", FileCheck{folder / "maintenance"}, 1h);
  checks.configure({file});
  ASSERT_TRUE(soon(io, [&] { return results.size() == 1; }));
  file.rise = 5;
  checks.configure({file});
  ASSERT_TRUE(soon(io, [&] { return results.size() == 2; }));
}

TEST_F(ChecksTest, FirstRunsAreSpread) {
  std::vector<CheckConfig> many;
  for (int i = 0; i < 50; ++i) many.push_back(check("c" + std::to_string(i), FileCheck{folder / "x"}, 1h));
  checks.configure(many);
  io.poll();
  EXPECT_LT(results.size(), 50u);
  ASSERT_TRUE(soon(io, [&] { return results.size() == 50; }));
}

TEST_F(ChecksTest, InterfacesAreTold) {
  checks.configure({check("uplink", InterfaceCheck{"eth1"}, 1h), check("backup", InterfaceCheck{"eth2"}, 1h),
                    check("works", FileCheck{folder / "x"}, 1h)});
  EXPECT_THAT(checks.interfaces(), UnorderedElementsAre("eth1", "eth2"));
  InterfaceInfo info;
  info.name = "eth1";
  checks.on_interface({}, info);
  EXPECT_EQ(results_of("uplink"), 1);
  EXPECT_EQ(results_of("backup"), 0);
}

TEST_F(ChecksTest, CombinedChecksAreNotRun) {
  checks.configure({check("works", FileCheck{folder / "x"}, 1h), check("all", CombinedCheck{1, {"works"}})});
  ASSERT_TRUE(soon(io, [&] { return !results.empty(); }));
  run_for(50ms);
  EXPECT_EQ(results_of("all"), 0);
}

}  // namespace
}  // namespace vipair::vrrp
