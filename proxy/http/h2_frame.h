#pragma once
// HTTP/2 frames as bytes (RFC 9113 sections 4, 6 and 7): constants, the nine bytes before each frame, and the small
// frames ready to be sent. What a frame means is decided elsewhere (proxy/server/h2_connection.h).

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vipair::http::h2 {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // section 3.4
inline constexpr std::size_t kFrameHeaderBytes = 9;
inline constexpr std::uint32_t kFrameSize = 16384;  // the least every peer takes, and the most we take
inline constexpr std::uint32_t kFrameSizeMost = 0xffffff;
inline constexpr std::uint32_t kInitialWindow = 65535;
inline constexpr std::int64_t kWindowMost = 0x7fffffff;
inline constexpr std::uint32_t kStreamIdMost = 0x7fffffff;

enum class FrameType : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation,
};

enum Flag : std::uint8_t {
  kEndStream = 0x1,
  kAck = 0x1,
  kEndHeaders = 0x4,
  kPadded = 0x8,
  kPriority = 0x20,
};

enum class ErrorCode : std::uint32_t {
  no_error,
  protocol_error,
  internal_error,
  flow_control_error,
  settings_timeout,
  stream_closed,
  frame_size_error,
  refused_stream,
  cancel,
  compression_error,
  connect_error,
  enhance_your_calm,
  inadequate_security,
  http_1_1_required,
};
inline constexpr std::size_t kErrorCodes = static_cast<std::size_t>(ErrorCode::http_1_1_required) + 1;
const char* to_string(ErrorCode code);  // "enhance_your_calm"

enum class Setting : std::uint16_t {
  header_table_size = 1,
  enable_push = 2,
  max_concurrent_streams = 3,
  initial_window_size = 4,
  max_frame_size = 5,
  max_header_list_size = 6,
  enable_connect_protocol = 8,  // RFC 8441
  no_rfc7540_priorities = 9,    // RFC 9218
};

struct FrameHeader {
  std::uint32_t length = 0;  // of the payload
  std::uint8_t type = 0;     // a FrameType or unknown
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;  // without the reserved bit
  bool is(FrameType wanted) const { return type == static_cast<std::uint8_t>(wanted); }
  bool has(Flag flag) const { return (flags & flag) != 0; }
};

std::uint32_t read_u32(const char* bytes);
void write_u32(char* out, std::uint32_t value);

FrameHeader read_frame_header(const char* bytes);  // kFrameHeaderBytes of them
void write_frame_header(char* out, std::size_t length, FrameType type, std::uint8_t flags, std::uint32_t stream);

// A small frame, ready to be sent.
struct SmallFrame {
  static constexpr std::size_t kBytesMax = 64;
  std::array<char, kBytesMax> bytes;
  std::size_t size = 0;
  std::string_view view() const { return {bytes.data(), size}; }
};
struct SettingValue {
  Setting id;
  std::uint32_t value;
};
SmallFrame settings_frame(const SettingValue* values, std::size_t count);  // at most 9
SmallFrame settings_ack();
SmallFrame ping_ack(std::string_view opaque);  // 8 bytes
SmallFrame rst_stream(std::uint32_t stream, ErrorCode code);
SmallFrame window_update(std::uint32_t stream, std::uint32_t increment);
SmallFrame goaway(std::uint32_t last_stream, ErrorCode code);

}  // namespace vipair::http::h2
