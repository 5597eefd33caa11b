#include "proxy/policy/client_hello.h"

#include <algorithm>
#include <optional>

#include "common/base/bytes.h"

namespace vipair::policy {
namespace {

using Status = ClientHello::Status;

constexpr std::uint8_t kHandshakeRecord = 22, kMajorVersion = 3, kClientHelloMessage = 1;
constexpr std::size_t kRecordMax = 16 * 1024;
constexpr std::size_t kRecordHead = 5, kMessageHead = 4;
constexpr std::size_t kSessionIdMax = 32;
constexpr std::uint16_t kServerNameExtension = 0;
constexpr std::uint8_t kHostName = 0;

ClientHello failed(ClientHelloError error) {
  ClientHello hello;
  hello.status = Status::error;
  hello.error = error;
  return hello;
}

// The list of an extension server_name: exactly one host name.
bool read_server_name(ByteView extension, http::Authority& name) {
  ByteReader reader(extension);
  ByteReader list(reader.view(reader.u16()));
  if (!reader.ok() || reader.remaining() != 0) return false;
  const std::uint8_t type = list.u8();
  const ByteView text = list.view(list.u16());
  if (!list.ok() || list.remaining() != 0 || type != kHostName) return false;
  const std::string_view host(reinterpret_cast<const char*>(text.data()), text.size());
  return host.find_first_of(":[") == std::string_view::npos && name.assign(host);
}

ClientHello read_message(ByteView body) {
  ByteReader reader(body);
  reader.view(2 + 32);  // legacy_version, random
  const std::size_t session_id = reader.u8();
  reader.view(session_id);
  const std::size_t cipher_suites = reader.u16();
  reader.view(cipher_suites);
  const std::size_t compression_methods = reader.u8();
  reader.view(compression_methods);
  if (!reader.ok() || session_id > kSessionIdMax || cipher_suites == 0 || cipher_suites % 2 != 0 ||
      compression_methods == 0) {
    return failed(ClientHelloError::bad_length);
  }
  ClientHello hello;
  hello.status = Status::complete;
  if (reader.remaining() == 0) return hello;  // older clients send no extensions
  ByteReader extensions(reader.view(reader.u16()));
  if (!reader.ok() || reader.remaining() != 0) return failed(ClientHelloError::bad_length);
  bool is_named = false;
  while (extensions.remaining() > 0) {
    const std::uint16_t type = extensions.u16();
    const ByteView extension = extensions.view(extensions.u16());
    if (!extensions.ok()) return failed(ClientHelloError::bad_length);
    if (type != kServerNameExtension) continue;
    if (is_named || !read_server_name(extension, hello.server_name)) return failed(ClientHelloError::bad_name);
    is_named = true;
  }
  return hello;
}

}  // namespace

const char* to_string(ClientHelloError error) {
  switch (error) {
    case ClientHelloError::not_tls:
      return "not_tls";
    case ClientHelloError::not_client_hello:
      return "not_client_hello";
    case ClientHelloError::too_long:
      return "too_long";
    case ClientHelloError::bad_length:
      return "bad_length";
    case ClientHelloError::bad_name:
      return "bad_name";
  }
  return "unknown";
}

ClientHello parse_client_hello(std::string_view bytes) {
  // The message may be cut into records anywhere; mostly it is in one.
  Bytes message;
  std::optional<std::size_t> wanted;
  std::size_t at = 0;
  while (true) {
    const ByteView rest(reinterpret_cast<const std::uint8_t*>(bytes.data()) + at, bytes.size() - at);
    if (!rest.empty() && rest[0] != kHandshakeRecord) return failed(ClientHelloError::not_tls);
    if (rest.size() > 1 && rest[1] != kMajorVersion) return failed(ClientHelloError::not_tls);
    if (rest.size() < kRecordHead) break;
    const std::size_t size = static_cast<std::size_t>(rest[3]) << 8 | rest[4];
    if (size == 0 || size > kRecordMax) return failed(ClientHelloError::bad_length);
    const ByteView payload = rest.subspan(kRecordHead, std::min(size, rest.size() - kRecordHead));
    message.insert(message.end(), payload.begin(), payload.end());
    if (!message.empty() && message[0] != kClientHelloMessage) return failed(ClientHelloError::not_client_hello);
    if (!wanted && message.size() >= kMessageHead) {
      ByteReader head(ByteView(message).first(kMessageHead));
      wanted = kMessageHead + (head.u32() & 0xFFFFFF);
      if (*wanted > kClientHelloMax - kRecordHead) return failed(ClientHelloError::too_long);
    }
    if (wanted && message.size() >= *wanted) {
      return read_message(ByteView(message).subspan(kMessageHead, *wanted - kMessageHead));
    }
    if (payload.size() < size) break;
    at += kRecordHead + size;
  }
  return bytes.size() < kClientHelloMax ? ClientHello{} : failed(ClientHelloError::too_long);
}

}  // namespace vipair::policy
