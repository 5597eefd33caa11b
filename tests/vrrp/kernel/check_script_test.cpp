#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using testing::HasSubstr;

class ScriptProbeTest : public testing::Test {
 protected:
  ScriptProbeTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-script-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder = pattern;
    std::filesystem::permissions(folder, std::filesystem::perms(0755));
  }
  ~ScriptProbeTest() override { std::filesystem::remove_all(folder); }
  std::unique_ptr<Probe> probe(const std::string& text, const std::string& user = "") {
    const std::string path = folder / "script";
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    std::filesystem::permissions(path, std::filesystem::perms(0755));
    return make_script_probe(io, {{path, "argument"}, user});
  }
  boost::asio::io_context io;
  std::filesystem::path folder;
};

TEST_F(ScriptProbeTest, ExitStatusDecides) {
  const auto good = probe("echo \"$1 is fine\"");
  const Observation success = look(io, *good);
  EXPECT_TRUE(success.success);
  EXPECT_EQ(success.reason, "exit status 0: argument is fine");
  const Observation failure = look(io, *probe("echo bad >&2; exit 2"));
  EXPECT_FALSE(failure.success);
  EXPECT_EQ(failure.reason, "exit status 2: bad");
}

TEST_F(ScriptProbeTest, HangingScriptIsKilledAndTheNextRunIsUnharmed) {
  const auto script = probe("trap '' TERM; [ -e " + (folder / "go").string() + " ] || sleep 1000");
  EXPECT_EQ(look(io, *script, 200ms).reason, "gave up: still running, killed");
  std::ofstream(folder / "go") << "";
  ASSERT_TRUE(test::soon(io, [&] { return look(io, *script).success; })) << "while it dies the next run is refused";
}

TEST_F(ScriptProbeTest, WhatCannotRunFailsWithTheReason) {
  EXPECT_THAT(look(io, *probe("true", "no-such-user")).reason, HasSubstr("there is no user no-such-user"));
  const auto missing = make_script_probe(io, {{"/no/such/script"}, ""});
  EXPECT_THAT(look(io, *missing).reason, HasSubstr("No such file"));
}

TEST_F(ScriptProbeTest, ProbeMayGoWhileItRuns) {
  bool is_told = false;
  {
    const auto script = probe("sleep 1000");
    script->start([&](Observation) { is_told = true; });
  }
  io.run_for(10s);  // ends as soon as the script is collected
  EXPECT_FALSE(is_told);
}

}  // namespace
}  // namespace vipair::vrrp
