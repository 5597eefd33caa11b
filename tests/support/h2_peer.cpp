#include "tests/support/h2_peer.h"

#include "common/base/assert.h"

namespace vipair::proxy::testing {

using http::h2::FrameType;

http::h2::ErrorCode Frame::code() const {
  const std::size_t at = type == FrameType::goaway ? 4 : 0;
  return static_cast<http::h2::ErrorCode>(http::h2::read_u32(payload.data() + at));
}

std::uint32_t Frame::number() const { return http::h2::read_u32(payload.data()); }

std::string Frame::field(std::string_view name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return "";
}

std::string u32(std::uint32_t value) {
  std::string bytes(4, '\0');
  http::h2::write_u32(bytes.data(), value);
  return bytes;
}

std::string frame(FrameType type, unsigned flags, std::uint32_t stream, std::string_view payload) {
  std::string bytes(http::h2::kFrameHeaderBytes, '\0');
  http::h2::write_frame_header(bytes.data(), payload.size(), type, static_cast<std::uint8_t>(flags), stream);
  return bytes.append(payload);
}

// RFC 7541 section 6.2.2 with a literal name, no Huffman code.
std::string block(const Fields& fields) {
  std::string out;
  auto append = [&out](const std::string& text) {
    std::size_t size = text.size();
    if (size < 127) {
      out += static_cast<char>(size);
    } else {
      out += static_cast<char>(127);
      for (size -= 127; size >= 128; size /= 128) out += static_cast<char>(128 | size % 128);
      out += static_cast<char>(size);
    }
    out += text;
  };
  for (const auto& [name, value] : fields) {
    out += '\0';
    append(name);
    append(value);
  }
  return out;
}

std::string headers(std::uint32_t stream, const Fields& fields, bool ends_stream) {
  return frame(FrameType::headers, http::h2::kEndHeaders | (ends_stream ? 0x1U : 0U), stream, block(fields));
}

std::string data(std::uint32_t stream, std::string_view payload, bool ends_stream) {
  return frame(FrameType::data, ends_stream ? 0x1U : 0U, stream, payload);
}

std::string settings(const std::vector<std::pair<http::h2::Setting, std::uint32_t>>& values) {
  std::string payload;
  for (const auto& [id, value] : values) {
    payload += '\0';
    payload += static_cast<char>(id);
    payload += u32(value);
  }
  return frame(FrameType::settings, 0, 0, payload);
}

Fields get(const std::string& path) {
  return {{":method", "GET"}, {":scheme", "http"}, {":path", path}, {":authority", "a"}};
}

Fields post(const std::string& path) {
  return {{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "a"}};
}

void H2Peer::send_preface(std::string_view our_settings) {
  wire_.send(http::h2::kPreface);
  wire_.send(our_settings.empty() ? settings() : our_settings);
}

std::vector<Frame> H2Peer::frames() {
  unread_ += wire_.take();
  if (skips_preface_ && unread_.substr(0, http::h2::kPreface.size()) == http::h2::kPreface) {
    unread_.erase(0, http::h2::kPreface.size());
  }
  std::vector<Frame> frames;
  while (unread_.size() >= http::h2::kFrameHeaderBytes) {
    skips_preface_ = false;
    const auto header = http::h2::read_frame_header(unread_.data());
    if (unread_.size() < http::h2::kFrameHeaderBytes + header.length) break;
    Frame frame{static_cast<FrameType>(header.type),
                header.flags,
                header.stream,
                unread_.substr(http::h2::kFrameHeaderBytes, header.length),
                {}};
    unread_.erase(0, http::h2::kFrameHeaderBytes + header.length);
    if (header.is(FrameType::headers) || header.is(FrameType::continuation)) {
      const bool is_sound = decoder_.decode(
          frame.payload, header.has(http::h2::kEndHeaders),
          [&frame](std::string_view name, std::string_view value) { frame.fields.emplace_back(name, value); });
      VIPAIR_ASSERT(is_sound, "what we encode can be decoded");
    }
    frames.push_back(std::move(frame));
  }
  return frames;
}

std::vector<Frame> H2Peer::messages() {
  std::vector<Frame> all = frames();
  std::erase_if(all, [](const Frame& frame) {
    return frame.type == FrameType::settings || frame.type == FrameType::window_update ||
           frame.type == FrameType::ping;
  });
  return all;
}

std::string H2Peer::body(const std::vector<Frame>& frames, std::uint32_t stream) {
  std::string body;
  for (const Frame& frame : frames)
    if (frame.type == FrameType::data && frame.stream == stream) body += frame.payload;
  return body;
}

}  // namespace vipair::proxy::testing
