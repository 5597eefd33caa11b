#include "proxy/policy/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::policy {
namespace {

using Status = ProxyHeader::Status;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

// A block: version and command, family, what follows the length.
std::string block(int version, int family, const std::string& rest) {
  std::string text = kSignature;
  text += static_cast<char>(version);
  text += static_cast<char>(family);
  text += static_cast<char>(rest.size() >> 8);
  text += static_cast<char>(rest.size());
  return text + rest;
}
std::string tlv(int type, const std::string& value) {
  return std::string{static_cast<char>(type), static_cast<char>(value.size() >> 8),
                     static_cast<char>(value.size())} +
         value;
}
const std::string kV4("\xc0\x00\x02\x07\xc6\x33\x64\x01\xc3\x50\x01\xbb", 12);

ProxyAddresses addresses(const char* source, const char* destination) {
  return {*IpEndpoint::parse(source), *IpEndpoint::parse(destination)};
}
std::string written(ProxyProtocol version, const ProxyAddresses& of) {
  http::Buffer out;
  append_proxy_header(out, version, of);
  return std::string(out.view());
}

TEST(ProxyProtocol, ReadsTheAddressesOfALine) {
  const std::string line = "PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n";
  const ProxyHeader header = parse_proxy_header(line + "GET /");
  ASSERT_EQ(header.status, Status::complete);
  EXPECT_EQ(header.size, line.size());
  EXPECT_EQ(header.addresses, addresses("192.0.2.7:50000", "198.51.100.1:443"));
  const ProxyHeader six = parse_proxy_header("PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n");
  ASSERT_EQ(six.status, Status::complete);
  EXPECT_EQ(six.addresses, addresses("[2001:db8::7]:1", "[2001:db8::1]:65535"));
}

TEST(ProxyProtocol, ReadsTheAddressesOfABlock) {
  const std::string bytes = block(0x21, 0x11, kV4);
  const ProxyHeader header = parse_proxy_header(bytes + "GET /");
  ASSERT_EQ(header.status, Status::complete);
  EXPECT_EQ(header.size, bytes.size());
  EXPECT_EQ(header.addresses, addresses("192.0.2.7:50000", "198.51.100.1:443"));
}

TEST(ProxyProtocol, SaysNothingOfAClientWhenThereIsNone) {
  for (const std::string& text : {std::string("PROXY UNKNOWN\r\n"), std::string("PROXY UNKNOWN whatever 1 2\r\n"),
                                  block(0x20, 0x11, kV4), block(0x20, 0xff, "x"), block(0x21, 0x00, ""),
                                  block(0x21, 0x00, "anything"), block(0x21, 0x31, std::string(216, 'u'))}) {
    const ProxyHeader header = parse_proxy_header(text);
    EXPECT_EQ(header.status, Status::complete) << text;
    EXPECT_EQ(header.size, text.size());
    EXPECT_FALSE(header.addresses) << text;
  }
}

TEST(ProxyProtocol, OurOwnConnectionsNameNobody) {
  EXPECT_EQ(own_proxy_header(ProxyProtocol::none), "");
  EXPECT_EQ(own_proxy_header(ProxyProtocol::v1), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(own_proxy_header(ProxyProtocol::v2), block(0x20, 0x00, ""));
}

TEST(ProxyProtocol, WaitsForTheWholeHeader) {
  for (const std::string& text :
       {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"), block(0x21, 0x11, kV4 + tlv(4, "noop"))}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      EXPECT_EQ(parse_proxy_header(text.substr(0, size)).status, Status::incomplete) << text << size;
    }
    EXPECT_EQ(parse_proxy_header(text).status, Status::complete) << text;
  }
}

TEST(ProxyProtocol, RefusesWhatIsNotAsItIsWritten) {
  struct Case {
    std::string text;
    ProxyHeaderError error;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\n", ProxyHeaderError::no_header},
      {"PROXx", ProxyHeaderError::no_header},
      {std::string("\x16\x03\x01", 3), ProxyHeaderError::no_header},
      {"PROXY TCP4 " + std::string(200, '1'), ProxyHeaderError::too_long},
      {"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", ProxyHeaderError::bad_family},
      {"PROXY tcp4 192.0.2.7 198.51.100.1 1 2\r\n", ProxyHeaderError::bad_family},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n", ProxyHeaderError::bad_line},
      {"PROXY TCP4 192.0.2.7  198.51.100.1 1 2\r\n", ProxyHeaderError::bad_line},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n", ProxyHeaderError::bad_line},
      {"PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n", ProxyHeaderError::bad_address},
      {"PROXY TCP4 ::1 ::2 1 2\r\n", ProxyHeaderError::bad_address},
      {"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", ProxyHeaderError::bad_address},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n", ProxyHeaderError::bad_address},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n", ProxyHeaderError::bad_address},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n", ProxyHeaderError::bad_address},
      {block(0x11, 0x11, kV4), ProxyHeaderError::bad_version},
      {block(0x22, 0x11, kV4), ProxyHeaderError::bad_version},
      {block(0x21, 0x12, kV4), ProxyHeaderError::bad_family},
      {block(0x21, 0x11, kV4.substr(1)), ProxyHeaderError::bad_address},
      {block(0x21, 0x21, kV4), ProxyHeaderError::bad_address},
      {block(0x21, 0x31, kV4), ProxyHeaderError::bad_address},
      {block(0x21, 0x11, kV4 + "x"), ProxyHeaderError::bad_tlv},
      {block(0x21, 0x11, kV4 + tlv(1, "abc").substr(0, 5)), ProxyHeaderError::bad_tlv},
      {block(0x21, 0x11, kV4 + tlv(3, "abc")), ProxyHeaderError::bad_tlv},
      {block(0x21, 0x11, kV4 + tlv(3, "abcd")), ProxyHeaderError::bad_checksum},
      {block(0x21, 0x11, kV4 + std::string(4096, '\0')).substr(0, 16), ProxyHeaderError::too_long},
  };
  for (const Case& c : cases) {
    const ProxyHeader header = parse_proxy_header(c.text);
    ASSERT_EQ(header.status, Status::error) << c.text;
    EXPECT_STREQ(to_string(header.error), to_string(c.error)) << c.text;
  }
}

TEST(ProxyProtocol, ChecksTheChecksum) {
  // CRC32c of the block with a checksum of zero, computed by another implementation
  std::string text = block(0x21, 0x11, kV4 + tlv(4, "noop") + tlv(3, "\x61\xe3\xd0\x1d") + tlv(2, "host.example"));
  EXPECT_EQ(parse_proxy_header(text).status, Status::complete);
  const std::size_t type_at = text.find("\x61\xe3\xd0\x1d") - 3;
  for (std::size_t i = kSignature.size() + 4; i < text.size(); ++i) {
    if (i == type_at) continue;  // of another type it is no checksum, and there is none
    text[i] = static_cast<char>(text[i] ^ 0x40);
    EXPECT_NE(parse_proxy_header(text).status, Status::complete) << i;
    text[i] = static_cast<char>(text[i] ^ 0x40);
  }
}

TEST(ProxyProtocol, UnmapsIpv4Addresses) {
  const ProxyHeader header = parse_proxy_header("PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n");
  ASSERT_TRUE(header.addresses);
  EXPECT_EQ(header.addresses->source.to_string(), "192.0.2.7:1");
}

TEST(ProxyProtocol, WritesWhatItReads) {
  const ProxyAddresses all[] = {
      addresses("192.0.2.7:50000", "198.51.100.1:443"),
      addresses("[2001:db8::7]:1", "[2001:db8::1]:65535"),
      addresses("192.0.2.7:50000", "[2001:db8::1]:443"),
  };
  for (const ProxyAddresses& each : all) {
    for (ProxyProtocol version : {ProxyProtocol::v1, ProxyProtocol::v2}) {
      const std::string text = written(version, each);
      const ProxyHeader header = parse_proxy_header(text);
      ASSERT_EQ(header.status, Status::complete) << text;
      EXPECT_EQ(header.size, text.size());
      EXPECT_EQ(header.addresses, each) << text;
    }
  }
  EXPECT_EQ(written(ProxyProtocol::v1, all[0]), "PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n");
  EXPECT_EQ(written(ProxyProtocol::v2, all[0]), block(0x21, 0x11, kV4));
  EXPECT_EQ(written(ProxyProtocol::none, all[0]), "");
}

}  // namespace
}  // namespace vipair::policy
