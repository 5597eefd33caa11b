#include "proxy/policy/client_hello.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::policy {
namespace {

using Status = ClientHello::Status;

std::string u16(std::size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
std::string sized(const std::string& text) { return u16(text.size()) + text; }

std::string extension(std::size_t type, const std::string& body) { return u16(type) + sized(body); }
std::string server_name(const std::string& name) { return extension(0, sized(std::string(1, '\0') + sized(name))); }
std::string message(const std::string& extensions, const std::string& suites = "\x13\x01") {
  const std::string body = std::string("\x03\x03") + std::string(32, 'r') + std::string(1, '\x20') +
                           std::string(32, 's') + sized(suites) + std::string("\x01\x00", 2) + extensions;
  return std::string(1, '\x01') + std::string(1, '\0') + sized(body);
}
std::string record(const std::string& payload) { return std::string("\x16\x03\x01") + sized(payload); }
std::string hello(const std::string& name) {
  return record(message(sized(extension(10, "xx") + server_name(name) + extension(43, "yyyy"))));
}

TEST(ClientHello, NamesTheServer) {
  const ClientHello parsed = parse_client_hello(hello("WWW.Example.com"));
  ASSERT_EQ(parsed.status, Status::complete);
  EXPECT_EQ(parsed.server_name.host(), "www.example.com");
}

TEST(ClientHello, MayNameNone) {
  for (const std::string& text :
       {record(message("")), record(message(sized(""))), record(message(sized(extension(10, "xx"))))}) {
    const ClientHello parsed = parse_client_hello(text);
    ASSERT_EQ(parsed.status, Status::complete);
    EXPECT_TRUE(parsed.server_name.empty());
  }
}

TEST(ClientHello, IsReadFromRecordsOfAnySize) {
  const std::string whole = message(sized(server_name("a.example")));
  for (std::size_t size : {1u, 3u, 50u}) {
    std::string text;
    for (std::size_t at = 0; at < whole.size(); at += size) text += record(whole.substr(at, size));
    for (std::size_t end = 0; end < text.size(); ++end) {
      EXPECT_EQ(parse_client_hello(text.substr(0, end)).status, Status::incomplete) << size << " " << end;
    }
    const ClientHello parsed = parse_client_hello(text);
    ASSERT_EQ(parsed.status, Status::complete);
    EXPECT_EQ(parsed.server_name.host(), "a.example");
  }
  EXPECT_EQ(parse_client_hello(hello("a.example") + "what follows").status, Status::complete);
}

TEST(ClientHello, RefusesWhatIsNone) {
  struct Case {
    std::string text;
    ClientHelloError error;
  };
  const std::string bad_names[] = {
      "", "a..b", "a b", "a:443", "[::1]", std::string("a\0b", 3), std::string(300, 'a')};
  const Case cases[] = {
      {"GET / HTTP/1.1\r\n", ClientHelloError::not_tls},
      {std::string("\x80\x2e\x01", 3), ClientHelloError::not_tls},
      {"\x16\x02", ClientHelloError::not_tls},
      {record("\x02zzz"), ClientHelloError::not_client_hello},
      {std::string("\x16\x03\x01\x00\x00", 5), ClientHelloError::bad_length},
      {std::string("\x16\x03\x01\x40\x01", 5), ClientHelloError::bad_length},
      {record(std::string("\x01\x00\x40\x00", 4)), ClientHelloError::too_long},
      {record(std::string("\x01\xff\xff\xff", 4)), ClientHelloError::too_long},
      {record(std::string("\x01\x00\x00\x02zz", 6)), ClientHelloError::bad_length},
      {record(message("", "")), ClientHelloError::bad_length},
      {record(message("", "abc")), ClientHelloError::bad_length},
      {record(message("x")), ClientHelloError::bad_length},
      {record(message(sized("") + "x")), ClientHelloError::bad_length},
      {record(message(sized("abc"))), ClientHelloError::bad_length},
      {record(message(sized(server_name("a") + server_name("b")))), ClientHelloError::bad_name},
      {record(message(sized(extension(0, "")))), ClientHelloError::bad_name},
      {record(message(sized(extension(0, sized("\x01" + sized("a")))))), ClientHelloError::bad_name},
  };
  for (const Case& c : cases) {
    const ClientHello parsed = parse_client_hello(c.text);
    ASSERT_EQ(parsed.status, Status::error) << c.text;
    EXPECT_STREQ(to_string(parsed.error), to_string(c.error)) << c.text;
  }
  for (const std::string& name : bad_names) {
    EXPECT_EQ(parse_client_hello(hello(name)).status, Status::error) << name;
  }
}

TEST(ClientHello, IsBoundedWhateverItsRecordsSay) {
  // A message within the bound, in records of one byte: six bytes for each of its own.
  std::string text;
  const std::string whole = message(sized(extension(21, std::string(8000, '\0'))));
  for (char byte : whole) text += record(std::string(1, byte));
  EXPECT_EQ(parse_client_hello(text.substr(0, kClientHelloMax)).status, Status::error);
  EXPECT_EQ(parse_client_hello(text.substr(0, kClientHelloMax - 1)).status, Status::incomplete);
}

}  // namespace
}  // namespace vipair::policy
