#pragma once
// Writes netlink messages one after the other into one buffer, for requests that travel as a batch. Attributes are
// in host order unless the name says otherwise. Within `capacity` it allocates nothing, which the supervisor relies
// on.

#include <linux/netlink.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/base/assert.h"
#include "common/base/bytes.h"

namespace vipair::vrrp {

class NetlinkWriter {
 public:
  explicit NetlinkWriter(std::size_t capacity = 0) { bytes_.reserve(capacity); }

  // Begins a message; it ends where the next one begins. `header` is what follows nlmsghdr (ifaddrmsg, nfgenmsg,
  // …).
  template <class Header>
  void message(int type, int flags, std::uint32_t sequence, const Header& header) {
    message_ = bytes_.size();
    nlmsghdr netlink{};
    netlink.nlmsg_type = static_cast<std::uint16_t>(type);
    netlink.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    netlink.nlmsg_seq = sequence;
    append(&netlink, sizeof netlink);
    append(&header, sizeof header);
    close(message_);
  }

  void attribute(int type, ByteView value) {
    nlattr header{};
    header.nla_type = static_cast<std::uint16_t>(type);
    header.nla_len = static_cast<std::uint16_t>(sizeof header + value.size());
    VIPAIR_ASSERT(sizeof header + value.size() <= kAttributeMax, "a netlink attribute counts its bytes in 16 bits");
    append(&header, sizeof header);
    append(value.data(), value.size());
    close(message_);
  }
  void attribute_u8(int type, std::uint8_t value) { attribute(type, {&value, 1}); }
  void attribute_u32(int type, std::uint32_t value) { attribute_raw(type, value); }
  void attribute_be32(int type, std::uint32_t value) { attribute_raw(type, big_endian(value)); }
  void attribute_be64(int type, std::uint64_t value) {
    std::array<std::uint8_t, sizeof value> bytes;
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value >>= 8)
      *byte = static_cast<std::uint8_t>(value);
    attribute(type, bytes);
  }
  void attribute_text(int type, std::string_view text) {  // with its terminating zero
    nlattr header{};
    header.nla_type = static_cast<std::uint16_t>(type);
    header.nla_len = static_cast<std::uint16_t>(sizeof header + text.size() + 1);
    append(&header, sizeof header);
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    bytes_.push_back(0);
    pad();
    close(message_);
  }
  template <class Value>
  void attribute_raw(int type, const Value& value) {
    attribute(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }

  // What `fill` writes becomes the content of one attribute.
  template <class Fill>
  void nested(int type, Fill&& fill) {
    const std::size_t start = bytes_.size();
    nlattr header{};
    header.nla_type = static_cast<std::uint16_t>(type | NLA_F_NESTED);
    append(&header, sizeof header);
    fill();
    VIPAIR_ASSERT(bytes_.size() - start <= kAttributeMax, "a netlink attribute counts its bytes in 16 bits");
    const auto length = static_cast<std::uint16_t>(bytes_.size() - start);
    std::memcpy(bytes_.data() + start, &length, sizeof length);
    close(message_);
  }

  ByteView bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  static constexpr std::size_t kAttributeMax = 0xFFFF;

  static constexpr std::uint32_t big_endian(std::uint32_t value) {
    return std::endian::native == std::endian::big ? value : __builtin_bswap32(value);
  }
  void append(const void* data, std::size_t size) {
    if (size != 0) {
      const auto* first = static_cast<const std::uint8_t*>(data);
      bytes_.insert(bytes_.end(), first, first + size);
    }
    pad();
  }
  void pad() { bytes_.resize(NLMSG_ALIGN(bytes_.size())); }
  void close(std::size_t message) {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - message);
    std::memcpy(bytes_.data() + message, &length, sizeof length);
  }

  Bytes bytes_;
  std::size_t message_ = 0;
};

}  // namespace vipair::vrrp
