#include "proxy/http/h2_frame.h"

#include <cstring>

#include "common/base/assert.h"

namespace vipair::http::h2 {

std::uint32_t read_u32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void write_u32(char* out, std::uint32_t value) {
  for (int i = 3; i >= 0; --i, value >>= 8) out[i] = static_cast<char>(value & 0xff);
}

FrameHeader read_frame_header(const char* bytes) {
  FrameHeader header;
  header.length = read_u32(bytes) >> 8;
  header.type = static_cast<std::uint8_t>(bytes[3]);
  header.flags = static_cast<std::uint8_t>(bytes[4]);
  header.stream = read_u32(bytes + 5) & kStreamIdMost;
  return header;
}

void write_frame_header(char* out, std::size_t length, FrameType type, std::uint8_t flags, std::uint32_t stream) {
  write_u32(out, static_cast<std::uint32_t>(length) << 8 | static_cast<std::uint32_t>(type));
  out[4] = static_cast<char>(flags);
  write_u32(out + 5, stream);
}

namespace {
SmallFrame frame(std::size_t payload, FrameType type, std::uint8_t flags, std::uint32_t stream) {
  SmallFrame small;
  small.size = kFrameHeaderBytes + payload;
  VIPAIR_ASSERT(small.size <= SmallFrame::kBytesMax, "the frame is a small one");
  write_frame_header(small.bytes.data(), payload, type, flags, stream);
  return small;
}
char* payload_of(SmallFrame& small) { return small.bytes.data() + kFrameHeaderBytes; }
}  // namespace

SmallFrame settings_frame(const SettingValue* values, std::size_t count) {
  SmallFrame small = frame(6 * count, FrameType::settings, 0, 0);
  char* out = payload_of(small);
  for (std::size_t i = 0; i < count; ++i, out += 6) {
    const auto id = static_cast<std::uint16_t>(values[i].id);
    out[0] = static_cast<char>(id >> 8);
    out[1] = static_cast<char>(id & 0xff);
    write_u32(out + 2, values[i].value);
  }
  return small;
}

SmallFrame settings_ack() { return frame(0, FrameType::settings, kAck, 0); }

SmallFrame ping_ack(std::string_view opaque) {
  SmallFrame small = frame(8, FrameType::ping, kAck, 0);
  std::memcpy(payload_of(small), opaque.data(), 8);
  return small;
}

SmallFrame rst_stream(std::uint32_t stream, ErrorCode code) {
  SmallFrame small = frame(4, FrameType::rst_stream, 0, stream);
  write_u32(payload_of(small), static_cast<std::uint32_t>(code));
  return small;
}

SmallFrame window_update(std::uint32_t stream, std::uint32_t increment) {
  SmallFrame small = frame(4, FrameType::window_update, 0, stream);
  write_u32(payload_of(small), increment);
  return small;
}

SmallFrame goaway(std::uint32_t last_stream, ErrorCode code) {
  SmallFrame small = frame(8, FrameType::goaway, 0, 0);
  write_u32(payload_of(small), last_stream);
  write_u32(payload_of(small) + 4, static_cast<std::uint32_t>(code));
  return small;
}

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::no_error:
      return "no_error";
    case ErrorCode::protocol_error:
      return "protocol_error";
    case ErrorCode::internal_error:
      return "internal_error";
    case ErrorCode::flow_control_error:
      return "flow_control_error";
    case ErrorCode::settings_timeout:
      return "settings_timeout";
    case ErrorCode::stream_closed:
      return "stream_closed";
    case ErrorCode::frame_size_error:
      return "frame_size_error";
    case ErrorCode::refused_stream:
      return "refused_stream";
    case ErrorCode::cancel:
      return "cancel";
    case ErrorCode::compression_error:
      return "compression_error";
    case ErrorCode::connect_error:
      return "connect_error";
    case ErrorCode::enhance_your_calm:
      return "enhance_your_calm";
    case ErrorCode::inadequate_security:
      return "inadequate_security";
    case ErrorCode::http_1_1_required:
      return "http_1_1_required";
  }
  return "unknown";
}

}  // namespace vipair::http::h2
