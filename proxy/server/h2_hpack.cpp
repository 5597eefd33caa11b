#include "proxy/server/h2_hpack.h"

#include <algorithm>
#include <new>

#include "common/base/assert.h"

namespace vipair::proxy {

HpackDecoder::HpackDecoder() {
  if (nghttp2_hd_inflate_new(&inflater_) != 0) throw std::bad_alloc();
}

HpackEncoder::HpackEncoder() {
  if (nghttp2_hd_deflate_new(&deflater_, kTableBytes) != 0) throw std::bad_alloc();
}

void HpackEncoder::limit_table(std::uint32_t bytes) {
  if (nghttp2_hd_deflate_change_table_size(deflater_, std::min<std::size_t>(bytes, kTableBytes)) != 0) {
    throw std::bad_alloc();
  }
}

std::size_t HpackEncoder::bound(const http::h2::FieldLines& lines) {
  fields_.clear();
  auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  for (const http::h2::FieldLine& line : lines) {
    const auto flags =
        static_cast<std::uint8_t>(line.is_sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
    fields_.push_back({bytes(line.name), bytes(line.value), line.name.size(), line.value.size(), flags});
  }
  return nghttp2_hd_deflate_bound(deflater_, fields_.data(), fields_.size());
}

std::size_t HpackEncoder::encode(std::span<char> out) {
  const auto size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                          fields_.data(), fields_.size());
  VIPAIR_ASSERT(size >= 0, "the block fits where its bound fits");
  return static_cast<std::size_t>(size);
}

}  // namespace vipair::proxy
