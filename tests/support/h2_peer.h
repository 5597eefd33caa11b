#pragma once
// The far end of an HTTP/2 connection in tests: writes frames, right or wrong, onto a Wire and reads what comes
// back. Fields are sent as literals without any table, so that a test says every byte.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/h2_frame.h"
#include "proxy/server/h2_hpack.h"
#include "tests/support/memory_stream.h"

namespace vipair::proxy::testing {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Frame {
  http::h2::FrameType type{};
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
  Fields fields;  // of HEADERS, decoded
  bool ends_stream() const { return (flags & http::h2::kEndStream) != 0; }
  http::h2::ErrorCode code() const;  // of RST_STREAM and GOAWAY
  std::uint32_t number() const;      // of WINDOW_UPDATE; the last stream of a GOAWAY
  std::string field(std::string_view name) const;
};

std::string frame(http::h2::FrameType type, unsigned flags, std::uint32_t stream, std::string_view payload = {});
std::string block(const Fields& fields);
std::string headers(std::uint32_t stream, const Fields& fields, bool ends_stream = true);
std::string data(std::uint32_t stream, std::string_view payload, bool ends_stream = false);
std::string settings(const std::vector<std::pair<http::h2::Setting, std::uint32_t>>& values = {});
std::string u32(std::uint32_t value);
Fields get(const std::string& path = "/");  // a GET of host "a"
Fields post(const std::string& path = "/");

class H2Peer {
 public:
  explicit H2Peer(Wire& wire) : wire_(wire) {}
  void send(std::string_view bytes) { wire_.send(bytes); }
  void send_preface(std::string_view our_settings = {});  // and SETTINGS

  // The frames that came since the last call.
  std::vector<Frame> frames();
  // The same without SETTINGS, WINDOW_UPDATE and PING.
  std::vector<Frame> messages();
  // Of the messages since the last call: the bodies of one stream's DATA.
  static std::string body(const std::vector<Frame>& frames, std::uint32_t stream);

 private:
  Wire& wire_;
  HpackDecoder decoder_;
  std::string unread_;
  bool skips_preface_ = true;
};

}  // namespace vipair::proxy::testing
