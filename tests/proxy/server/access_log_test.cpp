#include "proxy/server/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace vipair::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LogEntry entry() {
  LogEntry entry;
  entry.time = WallTime(std::chrono::milliseconds(784111777042));
  entry.duration = std::chrono::microseconds(1002003);
  entry.client = *IpEndpoint::parse("192.0.2.7:50000");
  entry.status = 200;
  entry.response_bytes = 1234;
  entry.method = "GET";
  entry.target = "/a?b";
  entry.host = "www.example.com";
  entry.referer = "http://x/";
  entry.user_agent = "curl/8";
  entry.upstream = "10.0.0.1:80";
  entry.request_id = "00ff";
  return entry;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(AccessLog, WritesTheCombinedFormat) {
  std::string line;
  format_combined(entry(), line);
  EXPECT_EQ(line,
            "192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 1234 \"http://x/\" \"curl/8\" "
            "10.0.0.1:80 1.002003\n");
}

TEST(AccessLog, WritesARequestThatCouldNotBeRead) {
  LogEntry unread;
  unread.status = 400;
  std::string line;
  format_combined(unread, line);
  EXPECT_THAT(line, HasSubstr("\"-\" 400 0 \"-\" \"-\" - 0.000000\n"));
}

TEST(AccessLog, AClientCannotWriteALineOfItsOwn) {
  LogEntry evil = entry();
  evil.user_agent = "a\"\r\nb\\\x1b[31m\xff";
  std::string combined, json;
  format_combined(evil, combined);
  EXPECT_THAT(combined, HasSubstr("\"a\\x22\\x0d\\x0ab\\x5c\\x1b[31m\\xff\""));
  format_json(evil, json);
  for (const std::string& line : {combined, json}) {
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(line.find('\r'), std::string::npos);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
}

TEST(AccessLog, WritesJsonThatParses) {
  LogEntry odd = entry();
  odd.target = "/\"\\\xc3\xa4";
  std::string line;
  format_json(odd, line);
  const boost::json::value value = boost::json::parse(line);
  EXPECT_EQ(value.at("time").as_string(), "1994-11-06T08:49:37.042Z");
  EXPECT_EQ(value.at("status").to_number<int>(), 200);
  EXPECT_EQ(value.at("upstream").as_string(), "10.0.0.1:80");
  EXPECT_NEAR(value.at("seconds").as_double(), 1.002003, 1e-9);
}

TEST(LogRing, GivesBackWhatWasPutIn) {
  LogRing ring;
  LogEntry out;
  EXPECT_FALSE(ring.pop(out));
  ASSERT_TRUE(ring.push(entry()));
  ASSERT_TRUE(ring.pop(out));
  EXPECT_EQ(out.target, "/a?b");
  EXPECT_EQ(out.request_id, "00ff");
  EXPECT_EQ(out.duration, entry().duration);
  EXPECT_FALSE(ring.pop(out));
}

// The undefined behaviour of copying nothing from nowhere is found by the sanitizers.
TEST(LogRing, TakesAnEntryWithoutTexts) {
  LogRing ring;
  ASSERT_TRUE(ring.push({}));
  LogEntry out = entry();
  ASSERT_TRUE(ring.pop(out));
  EXPECT_EQ(out.method, "");
  EXPECT_EQ(out.request_id, "");
}

TEST(LogRing, CutsLongTexts) {
  LogRing ring;
  const std::string longest(100000, 'x');
  LogEntry in = entry(), out;
  in.target = longest;
  ASSERT_TRUE(ring.push(in));
  ASSERT_TRUE(ring.pop(out));
  EXPECT_EQ(out.target, longest.substr(0, LogRing::kTextMax));
  EXPECT_EQ(out.host, in.host);
}

TEST(LogRing, IsBoundedAndWorksOnAfterwards) {
  LogRing ring;
  std::size_t pushed = 0;
  while (ring.push(entry())) ++pushed;
  EXPECT_GT(pushed, LogRing::kBytes / 512);
  LogEntry out;
  std::size_t popped = 0;
  while (ring.pop(out)) ++popped;
  EXPECT_EQ(popped, pushed);
  EXPECT_TRUE(ring.push(entry()));
}

TEST(LogRing, KeepsOrderAndContentBetweenTwoThreads) {
  constexpr std::uint64_t kCount = 100000;
  LogRing ring;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kCount;) {
      LogEntry in = entry();
      const std::string target(i % 300, static_cast<char>('a' + i % 26));
      in.target = target;
      in.response_bytes = i;
      if (ring.push(in)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  LogEntry out;
  bool is_right = true;
  for (std::uint64_t i = 0; i < kCount;) {
    if (!ring.pop(out)) {
      std::this_thread::yield();
      continue;
    }
    is_right &= out.response_bytes == i && out.target.size() == i % 300 &&
                out.target.find_first_not_of(static_cast<char>('a' + i % 26)) == std::string_view::npos;
    ++i;
  }
  writer.join();
  EXPECT_TRUE(is_right);
}

class AccessLogFile : public ::testing::Test {
 protected:
  AccessLogFile() : folder_(std::filesystem::temp_directory_path() / ("vipair-log-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~AccessLogFile() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ / name; }
  std::filesystem::path folder_;
};

TEST_F(AccessLogFile, ReceivesTheLinesOfAllWorkers) {
  {
    AccessLogWriter writer(2);
    ASSERT_TRUE(writer.configure({AccessLogFormat::combined, path("a.log")}));
    EXPECT_TRUE(writer.is_enabled());
    for (std::size_t worker : {0u, 1u}) ASSERT_TRUE(writer.ring(worker).push(entry()));
  }
  const std::string text = text_of(path("a.log"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(AccessLogFile, IsReopenedByName) {
  {
    AccessLogWriter writer(1);
    ASSERT_TRUE(writer.configure({AccessLogFormat::json, path("a.log")}));
    std::filesystem::rename(path("a.log"), path("a.log.1"));
    writer.reopen();
    ASSERT_TRUE(writer.ring(0).push(entry()));
  }
  EXPECT_THAT(text_of(path("a.log")), HasSubstr("\"status\":200"));
  EXPECT_EQ(text_of(path("a.log.1")), "");
}

TEST_F(AccessLogFile, SaysWhyItCannotBeOpened) {
  AccessLogWriter writer(1);
  auto result = writer.configure({AccessLogFormat::combined, path("missing/a.log")});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error(), HasSubstr("No such file"));
  EXPECT_FALSE(writer.is_enabled());
}

TEST_F(AccessLogFile, CountsTheLinesADiskDoesNotTake) {
  AccessLogWriter writer(1);
  ASSERT_TRUE(writer.configure({AccessLogFormat::combined, "/dev/full"}));
  ASSERT_TRUE(writer.ring(0).push(entry()));
  while (writer.lines_lost_in_writing() == 0) std::this_thread::yield();
  EXPECT_EQ(writer.lines_lost_in_writing(), 1u);
  EXPECT_EQ(writer.lines_written(), 0u);
}

}  // namespace
}  // namespace vipair::proxy
