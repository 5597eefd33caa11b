#include "proxy/http/log_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/log_entry.h"

namespace vipair::http {
namespace {

using proxy::testing::log_entry;
using ::testing::HasSubstr;

TEST(LogFormat, WritesTheCombinedFormat) {
  std::string line;
  LogFormat::combined().append(log_entry(), line);
  EXPECT_EQ(line,
            "192.0.2.7 - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 1234 \"http://x/\" \"curl/8\" "
            "10.0.0.1:80 1.002003\n");
}

TEST(LogFormat, WritesATcpConnection) {
  LogEntry entry = log_entry();
  entry.protocol = LogProtocol::tcp;
  entry.method = entry.referer = entry.user_agent = {};
  entry.target = "postgres";
  std::string line;
  LogFormat::combined().append(entry, line);
  EXPECT_THAT(line, HasSubstr("\"TCP postgres\" 200 1234 \"-\" \"-\" 10.0.0.1:80 "));
}

TEST(LogFormat, WritesARequestThatCouldNotBeRead) {
  LogEntry unread;
  unread.status = 400;
  std::string line;
  LogFormat::combined().append(unread, line);
  EXPECT_THAT(line, HasSubstr("\"-\" 400 0 \"-\" \"-\" - 0.000000\n"));
}

TEST(LogFormat, AClientCannotWriteALineOfItsOwn) {
  LogEntry evil = log_entry();
  evil.user_agent = "a\"\r\nb\\\x1b[31m\xff";
  std::string combined, json;
  LogFormat::combined().append(evil, combined);
  EXPECT_THAT(combined, HasSubstr("\"a\\x22\\x0d\\x0ab\\x5c\\x1b[31m\\xff\""));
  LogFormat::json().append(evil, json);
  for (const std::string& line : {combined, json}) {
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(line.find('\r'), std::string::npos);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
}

std::string in_template(std::string_view text, const LogEntry& entry) {
  auto format = LogFormat::from_template(text);
  EXPECT_TRUE(format.has_value()) << (format ? "" : format.error());
  std::string line;
  if (format) format->append(entry, line);
  return line;
}

TEST(LogFormat, WritesWhatATemplateSays) {
  EXPECT_EQ(
      in_template("${client_address}:${client_port} ${time_iso} ${method} ${target} ${status} cost $$${seconds}",
                  log_entry()),
      "192.0.2.7:50000 1994-11-06T08:49:37.042Z GET /a?b 200 cost $1.002003\n");
  EXPECT_EQ(
      in_template("${upstream} ${upstream_address} ${upstream_seconds} ${attempts} ${protocol} ${tls_version}",
                  log_entry()),
      "app 10.0.0.1:80 1.000000 1 HTTP/1.1 -\n");
}

TEST(LogFormat, MakesUpNoPort) {
  LogEntry entry = log_entry();
  entry.client = IpEndpoint{*IpAddress::parse("2001:db8::7"), 0};
  std::string json;
  LogFormat::json().append(entry, json);
  EXPECT_THAT(json, HasSubstr("\"client\":\"2001:db8::7\","));
  EXPECT_EQ(in_template("${client_address} ${client_port}", entry), "2001:db8::7 -\n");
}

TEST(LogFormat, EscapesInTemplatesToo) {
  LogEntry evil = log_entry();
  evil.user_agent = "a\"\n";
  EXPECT_EQ(in_template("\"${user_agent}\"", evil), "\"a\\x22\\x0a\"\n");
}

TEST(LogFormat, SaysWhatIsWrongWithATemplate) {
  for (const auto& [text, message] : {std::pair("", "is empty"), std::pair("a\nb", "one line"),
                                      std::pair("${statu}", "no variable ${statu}, known are time_iso"),
                                      std::pair("${status", "write \"$$\""), std::pair("5 $", "write \"$$\"")}) {
    auto format = LogFormat::from_template(text);
    ASSERT_FALSE(format) << text;
    EXPECT_THAT(format.error(), HasSubstr(message));
  }
  EXPECT_FALSE(LogFormat::from_template(std::string(kLogTemplateMax + 1, 'x')));
}

TEST(LogFormat, NamesTheProtocol) {
  LogEntry entry = log_entry();
  entry.protocol = LogProtocol::http_2;
  EXPECT_EQ(in_template("${protocol}", entry), "HTTP/2.0\n");
  entry.protocol = LogProtocol::tcp;
  EXPECT_EQ(in_template("${protocol}", entry), "TCP\n");
}

}  // namespace
}  // namespace vipair::http
