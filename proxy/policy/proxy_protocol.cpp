#include "proxy/policy/proxy_protocol.h"

#include <algorithm>
#include <array>

#include "common/base/bytes.h"
#include "proxy/http/chars.h"

namespace vipair::policy {
namespace {

using Status = ProxyHeader::Status;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);  // of version 2
constexpr std::string_view kLineStart = "PROXY ";
constexpr std::size_t kBlockHead = 16;  // signature, version and command, family, length
constexpr std::uint8_t kVersionLocal = 0x20, kVersionProxy = 0x21;
constexpr std::uint8_t kUnspecified = 0x00, kTcp4 = 0x11, kTcp6 = 0x21, kUnixStream = 0x31;
constexpr std::size_t kTcp4Size = 12, kTcp6Size = 36, kUnixSize = 216;
constexpr std::uint8_t kTlvChecksum = 0x03;

ProxyHeader failed(ProxyHeaderError error) {
  ProxyHeader header;
  header.status = Status::error;
  header.error = error;
  return header;
}

ProxyHeader complete(std::size_t size) {
  ProxyHeader header;
  header.status = Status::complete;
  header.size = size;
  return header;
}

bool is_prefix_of(std::string_view bytes, std::string_view whole) {
  return bytes.substr(0, whole.size()) == whole.substr(0, bytes.size());
}

// One client has one address, whichever family its proxy listens on.
IpAddress unmapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto bytes = address.bytes();
  if (!address.is_v6() || !std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) return address;
  return *IpAddress::from_bytes(bytes.last(4));
}

IpAddress mapped(const IpAddress& address) {
  if (address.is_v6()) return address;
  std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto four = address.bytes();
  std::copy(four.begin(), four.end(), bytes.begin() + 12);
  return IpAddress::v6(bytes);
}

constexpr std::array<std::uint32_t, 256> kCrc32c = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    table[byte] = value;
  }
  return table;
}();

// Of a block whose own checksum, four bytes at `zeroed`, counts as zero.
std::uint32_t crc32c(ByteView block, std::size_t zeroed) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const std::uint8_t byte = i >= zeroed && i < zeroed + 4 ? std::uint8_t{0} : block[i];
    crc = (crc >> 8) ^ kCrc32c[(crc ^ byte) & 0xFF];
  }
  return ~crc;
}

// ---- version 1 -------------------------------------------------------------------------------

// The text up to the next blank, which is taken too.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return {};
  unsigned value = 0;
  for (char c : text) {
    if (!http::is_digit(c)) return {};
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > 65535) return {};
  return static_cast<std::uint16_t>(value);
}

ProxyHeader parse_line(std::string_view bytes) {
  const std::string_view window = bytes.substr(0, kProxyLineMax);
  const std::size_t end = window.find("\r\n");
  if (end == std::string_view::npos) {
    return bytes.size() < kProxyLineMax ? ProxyHeader{} : failed(ProxyHeaderError::too_long);
  }
  std::string_view line = window.substr(kLineStart.size(), end - kLineStart.size());
  ProxyHeader header = complete(end + 2);
  const std::string_view family = line.substr(0, line.find(' '));
  if (family == "UNKNOWN") return header;  // whatever stands behind it
  if (family != "TCP4" && family != "TCP6") return failed(ProxyHeaderError::bad_family);
  if (std::count(line.begin(), line.end(), ' ') != 4) return failed(ProxyHeaderError::bad_line);
  take_word(line);
  const auto source = IpAddress::parse(take_word(line));
  const auto destination = IpAddress::parse(take_word(line));
  const auto source_port = parse_port(take_word(line));
  const auto destination_port = parse_port(take_word(line));
  const bool wants_v6 = family == "TCP6";
  if (!source || !destination || !source_port || !destination_port || source->is_v6() != wants_v6 ||
      destination->is_v6() != wants_v6) {
    return failed(ProxyHeaderError::bad_address);
  }
  header.addresses = {{unmapped(*source), *source_port}, {unmapped(*destination), *destination_port}};
  return header;
}

// ---- version 2 -------------------------------------------------------------------------------

// The values behind the addresses: all that matters is that they are whole, and the checksum.
std::optional<ProxyHeaderError> check_values(ByteView block, std::size_t at) {
  bool has_checksum = false;
  while (at < block.size()) {
    ByteReader reader(block.subspan(at));
    const std::uint8_t type = reader.u8();
    const ByteView value = reader.view(reader.u16());
    if (!reader.ok()) return ProxyHeaderError::bad_tlv;
    if (type == kTlvChecksum) {
      ByteReader sent(value);
      if (value.size() != 4 || has_checksum) return ProxyHeaderError::bad_tlv;
      if (sent.u32() != crc32c(block, at + 3)) return ProxyHeaderError::bad_checksum;
      has_checksum = true;
    }
    at += 3 + value.size();
  }
  return {};
}

ProxyHeader parse_block(std::string_view bytes) {
  if (bytes.size() < kBlockHead) return {};
  const ByteView all(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  ByteReader reader(all.subspan(kSignature.size()));
  const std::uint8_t version = reader.u8();
  const std::uint8_t family = reader.u8();
  const std::size_t size = kBlockHead + reader.u16();
  if (version != kVersionLocal && version != kVersionProxy) return failed(ProxyHeaderError::bad_version);
  if (size > kProxyBlockMax) return failed(ProxyHeaderError::too_long);
  if (bytes.size() < size) return {};
  ProxyHeader header = complete(size);
  if (version == kVersionLocal) return header;  // the proxy speaks for itself: a health check

  const ByteView block = all.first(size);
  std::size_t addresses_size = 0;
  if (family == kTcp4 || family == kTcp6) {
    const std::size_t address_size = family == kTcp4 ? 4 : 16;
    addresses_size = family == kTcp4 ? kTcp4Size : kTcp6Size;
    ByteReader addresses(block.subspan(kBlockHead));
    const auto source = IpAddress::from_bytes(addresses.view(address_size));
    const auto destination = IpAddress::from_bytes(addresses.view(address_size));
    const std::uint16_t source_port = addresses.u16();
    const std::uint16_t destination_port = addresses.u16();
    if (!addresses.ok() || !source || !destination) return failed(ProxyHeaderError::bad_address);
    header.addresses = {{unmapped(*source), source_port}, {unmapped(*destination), destination_port}};
  } else if (family == kUnixStream) {
    addresses_size = kUnixSize;
    if (block.size() < kBlockHead + kUnixSize) return failed(ProxyHeaderError::bad_address);
  } else if (family != kUnspecified) {
    return failed(ProxyHeaderError::bad_family);
  } else {
    return header;  // what follows an unspecified address cannot be told from one
  }
  if (auto error = check_values(block, kBlockHead + addresses_size)) return failed(*error);
  return header;
}

}  // namespace

const char* to_string(ProxyHeaderError error) {
  switch (error) {
    case ProxyHeaderError::no_header:
      return "no_header";
    case ProxyHeaderError::too_long:
      return "too_long";
    case ProxyHeaderError::bad_line:
      return "bad_line";
    case ProxyHeaderError::bad_version:
      return "bad_version";
    case ProxyHeaderError::bad_family:
      return "bad_family";
    case ProxyHeaderError::bad_address:
      return "bad_address";
    case ProxyHeaderError::bad_tlv:
      return "bad_tlv";
    case ProxyHeaderError::bad_checksum:
      return "bad_checksum";
  }
  return "unknown";
}

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (is_prefix_of(bytes, kSignature)) return bytes.size() < kSignature.size() ? ProxyHeader{} : parse_block(bytes);
  if (is_prefix_of(bytes, kLineStart)) return bytes.size() < kLineStart.size() ? ProxyHeader{} : parse_line(bytes);
  return failed(ProxyHeaderError::no_header);
}

void append_proxy_header(http::Buffer& out, ProxyProtocol version, const ProxyAddresses& addresses) {
  if (version == ProxyProtocol::none) return;
  const bool is_v4 = addresses.source.address.is_v4() && addresses.destination.address.is_v4();
  const IpAddress source = is_v4 ? addresses.source.address : mapped(addresses.source.address);
  const IpAddress destination = is_v4 ? addresses.destination.address : mapped(addresses.destination.address);
  if (version == ProxyProtocol::v1) {
    out.append(kLineStart);
    out.append(is_v4 ? "TCP4 " : "TCP6 ");
    out.append(source.to_string());
    out.append(' ');
    out.append(destination.to_string());
    out.append(' ');
    out.append_number(addresses.source.port);
    out.append(' ');
    out.append_number(addresses.destination.port);
    out.append("\r\n");
    return;
  }
  auto append_bytes = [&out](std::span<const std::uint8_t> bytes) {
    out.append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  auto append_u16 = [&](std::size_t value) {
    append_bytes(std::array{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
  };
  out.append(kSignature);
  append_bytes(std::array{kVersionProxy, is_v4 ? kTcp4 : kTcp6});
  append_u16(is_v4 ? kTcp4Size : kTcp6Size);
  append_bytes(source.bytes());
  append_bytes(destination.bytes());
  append_u16(addresses.source.port);
  append_u16(addresses.destination.port);
}

std::string own_proxy_header(ProxyProtocol version) {
  if (version == ProxyProtocol::none) return {};
  if (version == ProxyProtocol::v1) return std::string(kLineStart) + "UNKNOWN\r\n";
  std::string block(kSignature);
  block += {static_cast<char>(kVersionLocal), static_cast<char>(kUnspecified), '\0', '\0'};
  return block;
}

}  // namespace vipair::policy
