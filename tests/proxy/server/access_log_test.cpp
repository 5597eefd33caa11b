#include "proxy/server/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/support/log_entry.h"

namespace vipair::proxy {
namespace {

using ::testing::HasSubstr;
using testing::log_entry;

AccessLog to_file(AccessLogFormat format, const std::string& path) {
  AccessLog config;
  config.format = format;
  config.path = path;
  return config;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(AccessLog, JsonParses) {
  http::LogEntry odd = log_entry();
  odd.target = "/\"\\\xc3\xa4";
  std::string line;
  http::LogFormat::json().append(odd, line);
  const boost::json::value value = boost::json::parse(line);
  EXPECT_EQ(value.at("time").as_string(), "1994-11-06T08:49:37.042Z");
  EXPECT_EQ(value.at("status").to_number<int>(), 200);
  EXPECT_EQ(value.at("upstream").as_string(), "10.0.0.1:80");
  EXPECT_NEAR(value.at("seconds").as_double(), 1.002003, 1e-9);
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
    ASSERT_TRUE(writer.configure(to_file(AccessLogFormat::combined, path("a.log"))));
    EXPECT_TRUE(writer.is_enabled());
    for (std::size_t worker : {0u, 1u}) ASSERT_TRUE(writer.ring(worker).push(log_entry()));
  }
  const std::string text = text_of(path("a.log"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(AccessLogFile, IsReopenedByName) {
  {
    AccessLogWriter writer(1);
    ASSERT_TRUE(writer.configure(to_file(AccessLogFormat::json, path("a.log"))));
    std::filesystem::rename(path("a.log"), path("a.log.1"));
    writer.reopen();
    ASSERT_TRUE(writer.ring(0).push(log_entry()));
  }
  EXPECT_THAT(text_of(path("a.log")), HasSubstr("\"status\":200"));
  EXPECT_EQ(text_of(path("a.log.1")), "");
}

TEST_F(AccessLogFile, SaysWhyItCannotBeOpened) {
  AccessLogWriter writer(1);
  auto result = writer.configure(to_file(AccessLogFormat::combined, path("missing/a.log")));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error(), HasSubstr("No such file"));
  EXPECT_FALSE(writer.is_enabled());
}

TEST_F(AccessLogFile, CountsTheLinesADiskDoesNotTake) {
  AccessLogWriter writer(1);
  ASSERT_TRUE(writer.configure(to_file(AccessLogFormat::combined, "/dev/full")));
  ASSERT_TRUE(writer.ring(0).push(log_entry()));
  while (writer.lines_lost_in_writing() == 0) std::this_thread::yield();
  EXPECT_EQ(writer.lines_lost_in_writing(), 1u);
  EXPECT_EQ(writer.lines_written(), 0u);
}

}  // namespace
}  // namespace vipair::proxy
