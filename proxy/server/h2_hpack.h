#pragma once
// HPACK (RFC 7541) by libnghttp2: one decoder and one encoder per connection. The frames around the header blocks
// are ours (h2_connection.h), because the library forgets streams that were closed.

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/http/h2_fields.h"

namespace vipair::proxy {

class HpackDecoder {
 public:
  HpackDecoder();  // throws std::bad_alloc
  ~HpackDecoder() { nghttp2_hd_inflate_del(inflater_); }
  HpackDecoder(const HpackDecoder&) = delete;
  HpackDecoder& operator=(const HpackDecoder&) = delete;

  // Decodes the next part of a header block, calling on_field(name, value) for each field; what is passed is valid
  // during the call only. False: the block is broken, and with it the connection (COMPRESSION_ERROR).
  template <class OnField>
  [[nodiscard]] bool decode(std::string_view block, bool is_last, OnField on_field) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const auto used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, is_last ? 1 : 0);
      if (used < 0) return false;
      at += used;
      left -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        on_field(std::string_view(reinterpret_cast<const char*>(field.name), field.namelen),
                 std::string_view(reinterpret_cast<const char*>(field.value), field.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
        nghttp2_hd_inflate_end_headers(inflater_);
        return left == 0;
      }
      if (left == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0) return !is_last;
    }
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

class HpackEncoder {
 public:
  static constexpr std::size_t kTableBytes = 4096;

  HpackEncoder();  // throws std::bad_alloc
  ~HpackEncoder() { nghttp2_hd_deflate_del(deflater_); }
  HpackEncoder(const HpackEncoder&) = delete;
  HpackEncoder& operator=(const HpackEncoder&) = delete;

  // What the peer's SETTINGS_HEADER_TABLE_SIZE allows; we never use more than kTableBytes.
  void limit_table(std::uint32_t bytes);

  // Room that the block surely fits into. The lines must stay as they are until encode().
  std::size_t bound(const http::h2::FieldLines& lines);
  std::size_t encode(std::span<char> out);  // the lines of the last bound(); the block's bytes

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
  std::vector<nghttp2_nv> fields_;
};

}  // namespace vipair::proxy
