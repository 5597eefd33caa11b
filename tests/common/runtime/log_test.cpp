#include "common/runtime/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/runtime/unique_fd.h"
#include "gtest/gtest.h"

namespace vipair {
namespace {

using log::Level;

// Standard error goes into a pipe or a socket for as long as this lives.
class Captured {
 public:
  enum Kind { pipe, socket };
  explicit Captured(Kind kind = pipe) : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    int ends[2];
    const int made =
        kind == pipe ? ::pipe2(ends, O_CLOEXEC) : ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    EXPECT_EQ(made, 0);
    reader_.reset(ends[0]);
    ::fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
  }
  ~Captured() {
    ::dup2(saved_.get(), STDERR_FILENO);
    ::unsetenv("JOURNAL_STREAM");
    log::init("", Level::info);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::string text() {
    std::string text;
    char buffer[65536];
    for (ssize_t got; (got = ::read(reader_.get(), buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }
  void close_reader() { reader_.reset(); }

 private:
  UniqueFd saved_, reader_;
};

TEST(Log, LineHasTimeProgramLevelAndMessage) {
  Captured captured;
  log::init("vipair-vrrpd", Level::info);
  log::warn("peer lost router=web");
  EXPECT_THAT(captured.text(),
              testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                                    "vipair-vrrpd warn peer lost router=web\n"));
}

TEST(Log, JournalGetsPrioritiesInsteadOfTimes) {
  Captured captured(Captured::socket);
  struct stat info {};
  ASSERT_EQ(::fstat(STDERR_FILENO, &info), 0);
  const std::string stream = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
  log::init("vipair-vrrpd", Level::debug);
  log::debug("a");
  log::info("b");
  log::warn("c");
  log::error("d");
  EXPECT_EQ(captured.text(), "<7>debug a\n<6>info b\n<4>warn c\n<3>error d\n");
}

TEST(Log, JournalOfSomebodyElseIsNotOurs) {
  Captured captured;
  ::setenv("JOURNAL_STREAM", "1:2", 1);
  log::init("p", Level::info);
  log::info("a");
  EXPECT_TRUE(captured.text().ends_with("Z p info a\n"));
}

TEST(Log, LevelDecidesWhatIsWritten) {
  Captured captured;
  log::init("p", Level::warn);
  log::debug("debug");
  log::info("info");
  log::warn("warn");
  log::error("error");
  EXPECT_FALSE(log::is_enabled(Level::info));
  EXPECT_TRUE(log::is_enabled(Level::warn));
  const std::string text = captured.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_NE(text.find(" warn warn\n"), std::string::npos);
  EXPECT_NE(text.find(" error error\n"), std::string::npos);
}

TEST(Log, ControlCharactersAreEscaped) {
  using namespace std::string_view_literals;
  const struct {
    std::string_view message;
    const char* written;
  } cases[] = {
      {"plain {} %s %v"sv, "plain {} %s %v"},
      {"two\nlines\r\n"sv, "two\\nlines\\x0d\\n"},
      {"\x1b[31mred\x07"sv, "\\x1b[31mred\\x07"},
      {"nul\0tab\t"sv, "nul\\x00tab\\x09"},
      {"del\x7f"sv, "del\\x7f"},
      {"caf\xC3\xA9"sv, "caf\xC3\xA9"},
      {"csi\xC2\x9B"
       "31m"sv,
       "csi\\xc2\\x9b31m"},
      {"cut\xC2"sv, "cut\xC2"},
  };
  Captured captured;
  log::init("p", Level::info);
  for (const auto& each : cases) {
    log::info(each.message);
    const std::string text = captured.text();
    EXPECT_TRUE(text.ends_with(std::string("Z p info ") + each.written + "\n")) << text;
  }
}

TEST(Log, LongMessageIsCutToOneWrite) {
  Captured captured;
  log::init("p", Level::info);
  for (const std::string& message : {std::string(1 << 20, 'x'), std::string(1 << 20, '\n')}) {
    log::info(message);
    const std::string text = captured.text();
    EXPECT_GT(text.size(), 3000u);
    EXPECT_LE(text.size(), 4096u);
    EXPECT_TRUE(text.ends_with("…\n"));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  }
}

TEST(Log, FullStandardErrorLosesLinesInsteadOfBlocking) {
  for (auto kind : {Captured::pipe, Captured::socket}) {
    Captured captured(kind);
    log::init("p", Level::info);
    const std::string message(1000, 'x');
    for (int i = 0; i < 5000; ++i) log::info(message);  // 5 MB: more than either holds
    const std::string text = captured.text();
    const auto written = std::count(text.begin(), text.end(), '\n');
    EXPECT_GT(written, 10);
    EXPECT_LT(written, 5000);
    log::info("after");
    const std::string rest = captured.text();
    const auto lost = std::to_string(5000 - written);
    // a socket may have taken the beginning of one line
    if (kind == Captured::pipe) {
      EXPECT_NE(rest.find("warn " + lost + " log lines were lost"), std::string::npos) << rest;
    }
    EXPECT_NE(rest.find(" log lines were lost: standard error was not read\n"), std::string::npos) << rest;
    EXPECT_TRUE(rest.ends_with("info after\n")) << rest;
  }
}

TEST(Log, SurvivesAReaderThatIsGone) {
  for (auto kind : {Captured::pipe, Captured::socket}) {
    Captured captured(kind);
    log::init("p", Level::info);
    captured.close_reader();
    for (int i = 0; i < 3; ++i) log::error("nobody reads this");
  }
}

TEST(Log, ClosedStandardErrorIsNotHandedToTheNextSocket) {
  Captured captured;
  ::close(STDERR_FILENO);
  log::init("p", Level::info);
  log::info("into nothing");
  const UniqueFd next(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_GT(next.get(), STDERR_FILENO);
}

TEST(RateLimit, CountsWhatItSwallows) {
  log::RateLimit limit(2, std::chrono::seconds(10));
  TimePoint now{std::chrono::seconds(5)};
  std::uint64_t suppressed = 99;
  EXPECT_TRUE(limit.allow(now, suppressed));
  EXPECT_EQ(suppressed, 0u);
  EXPECT_TRUE(limit.allow(now, suppressed));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limit.allow(now + std::chrono::seconds(i), suppressed));
  EXPECT_FALSE(limit.allow(now + std::chrono::milliseconds(9999), suppressed));
  EXPECT_TRUE(limit.allow(now + std::chrono::seconds(10), suppressed));
  EXPECT_EQ(suppressed, 4u);
  EXPECT_TRUE(limit.allow(now + std::chrono::seconds(10), suppressed));
  EXPECT_EQ(suppressed, 0u);
  EXPECT_FALSE(limit.allow(now + std::chrono::seconds(19), suppressed));
}

}  // namespace
}  // namespace vipair
