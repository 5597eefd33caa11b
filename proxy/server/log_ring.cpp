#include "proxy/server/log_ring.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <type_traits>

namespace vipair::proxy {

namespace {

// The texts of an entry, in the order in which they are kept.
constexpr std::string_view LogEntry::*kTextsOf[] = {
    &LogEntry::method,           &LogEntry::target,     &LogEntry::host,
    &LogEntry::referer,          &LogEntry::user_agent, &LogEntry::upstream,
    &LogEntry::upstream_address, &LogEntry::request_id, &LogEntry::tls};
constexpr std::size_t kTexts = std::size(kTextsOf);

struct RecordHeader {
  std::uint32_t size = 0;  // of the whole record; 0: the rest of the ring is unused, go on at its start
  std::uint16_t lengths[kTexts] = {};
  LogEntry entry;
};
static_assert(std::is_trivially_copyable_v<RecordHeader>);
}  // namespace

bool LogRing::push(const LogEntry& entry) {
  RecordHeader header;
  header.entry = entry;
  std::size_t size = sizeof header;
  for (std::size_t i = 0; i < kTexts; ++i) {
    header.lengths[i] = static_cast<std::uint16_t>(std::min((entry.*kTextsOf[i]).size(), kTextMax));
    size += header.lengths[i];
  }
  size = (size + kAlign - 1) / kAlign * kAlign;
  header.size = static_cast<std::uint32_t>(size);

  std::uint64_t written = written_.load(std::memory_order_relaxed);
  const std::size_t offset = written % kBytes;
  const std::size_t skipped = offset + size > kBytes ? kBytes - offset : 0;
  if (written + skipped + size - read_seen_ > kBytes) {
    read_seen_ = read_.load(std::memory_order_acquire);
    if (written + skipped + size - read_seen_ > kBytes) return false;
  }
  if (skipped > 0) {
    std::memset(bytes_.get() + offset, 0, sizeof header.size);
    written += skipped;
  }
  char* at = bytes_.get() + written % kBytes;
  std::memcpy(at, &header, sizeof header);
  at += sizeof header;
  for (std::size_t i = 0; i < kTexts; ++i) at += (entry.*kTextsOf[i]).copy(at, header.lengths[i]);
  written_.store(written + size, std::memory_order_release);
  return true;
}

bool LogRing::pop(LogEntry& entry) {
  read_.store(popped_, std::memory_order_release);
  const std::uint64_t written = written_.load(std::memory_order_acquire);
  if (popped_ == written) return false;
  RecordHeader header;
  std::memcpy(&header.size, bytes_.get() + popped_ % kBytes, sizeof header.size);
  if (header.size == 0) popped_ += kBytes - popped_ % kBytes;
  const char* at = bytes_.get() + popped_ % kBytes;
  std::memcpy(&header, at, sizeof header);
  at += sizeof header;
  entry = header.entry;
  for (std::size_t i = 0; i < kTexts; ++i) {
    entry.*kTextsOf[i] = {at, header.lengths[i]};
    at += header.lengths[i];
  }
  popped_ += header.size;
  return true;
}

}  // namespace vipair::proxy
