#include "proxy/server/access_log.h"

#include <fcntl.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <type_traits>

#include "common/base/assert.h"
#include "common/runtime/log.h"

namespace vipair::proxy {

// ---- lines -----------------------------------------------------------------------------------

namespace {

void append_number(std::string& line, std::uint64_t value) {
  char digits[20];
  line.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void append_hex(std::string& line, unsigned char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  line += kHex[byte >> 4];
  line += kHex[byte & 15];
}

// Seconds with six decimals.
void append_seconds(std::string& line, Duration duration) {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count() / 1000));
  append_number(line, micros / 1000000);
  char fraction[8] = ".000000";
  for (std::uint64_t rest = micros % 1000000, i = 6; i >= 1; --i, rest /= 10) {
    fraction[i] = static_cast<char>('0' + rest % 10);
  }
  line.append(fraction, 7);
}

// Inside the quotes of a combined line: what could end the field or the line is written as \xhh.
void append_escaped(std::string& line, std::string_view text) {
  if (text.empty()) {
    line += '-';
    return;
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\') {
      line += "\\x";
      append_hex(line, byte);
    } else {
      line += c;
    }
  }
}

// A JSON string. Bytes over 0x7f are written as the code point of the same number, so that any input gives valid
// JSON and no byte is lost.
void append_json(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '"' || byte == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      line += "\\u00";
      append_hex(line, byte);
    } else {
      line += c;
    }
  }
  line += '"';
}

std::tm calendar(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

std::string_view format_combined(const LogEntry& entry, std::string& line) {
  const std::size_t begin = line.size();
  const std::tm parts = calendar(entry.time);
  char when[40];
  const std::size_t when_size = std::strftime(when, sizeof when, "[%d/%b/%Y:%H:%M:%S +0000]", &parts);
  line += entry.client.address.to_string();
  line += " - - ";
  line.append(when, when_size);
  line += " \"";
  if (entry.method.empty()) {
    line += '-';  // no request could be read
  } else {
    append_escaped(line, entry.method);
    line += ' ';
    append_escaped(line, entry.target);
    line += entry.minor_version == 0 ? " HTTP/1.0" : " HTTP/1.1";
  }
  line += "\" ";
  append_number(line, entry.status);
  line += ' ';
  append_number(line, entry.response_bytes);
  line += " \"";
  append_escaped(line, entry.referer);
  line += "\" \"";
  append_escaped(line, entry.user_agent);
  line += "\" ";
  append_escaped(line, entry.upstream);
  line += ' ';
  append_seconds(line, entry.duration);
  line += '\n';
  return std::string_view(line).substr(begin);
}

std::string_view format_json(const LogEntry& entry, std::string& line) {
  const std::size_t begin = line.size();
  const std::tm parts = calendar(entry.time);
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(entry.time.time_since_epoch()).count() % 1000;
  char when[40];
  const std::size_t when_size = std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
  line += "{\"time\":\"";
  line.append(when, when_size);
  const char fraction[] = {'.',
                           static_cast<char>('0' + millis / 100),
                           static_cast<char>('0' + millis / 10 % 10),
                           static_cast<char>('0' + millis % 10),
                           'Z',
                           '"'};
  line.append(fraction, sizeof fraction);
  line += ",\"client\":";
  append_json(line, entry.client.to_string());
  line += ",\"method\":";
  append_json(line, entry.method);
  line += ",\"target\":";
  append_json(line, entry.target);
  line += ",\"host\":";
  append_json(line, entry.host);
  line += ",\"status\":";
  append_number(line, entry.status);
  line += ",\"request_bytes\":";
  append_number(line, entry.request_bytes);
  line += ",\"response_bytes\":";
  append_number(line, entry.response_bytes);
  line += ",\"seconds\":";
  append_seconds(line, entry.duration);
  line += ",\"upstream\":";
  append_json(line, entry.upstream);
  line += ",\"request_id\":";
  append_json(line, entry.request_id);
  line += ",\"referer\":";
  append_json(line, entry.referer);
  line += ",\"user_agent\":";
  append_json(line, entry.user_agent);
  line += "}\n";
  return std::string_view(line).substr(begin);
}

// ---- ring ------------------------------------------------------------------------------------

namespace {
struct RecordHeader {
  std::uint32_t size = 0;  // of the whole record; 0: the rest of the ring is unused, go on at its start
  std::uint16_t lengths[7] = {};
  LogEntry entry;
};
static_assert(std::is_trivially_copyable_v<RecordHeader>);
}  // namespace

bool LogRing::push(const LogEntry& entry) {
  const std::string_view texts[] = {entry.method,     entry.target,   entry.host,      entry.referer,
                                    entry.user_agent, entry.upstream, entry.request_id};
  RecordHeader header;
  header.entry = entry;
  std::size_t size = sizeof header;
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    header.lengths[i] = static_cast<std::uint16_t>(std::min(texts[i].size(), kTextMax));
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
  for (std::size_t i = 0; i < std::size(texts); ++i) at += texts[i].copy(at, header.lengths[i]);
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
  std::string_view* const texts[] = {&entry.method,     &entry.target,   &entry.host,      &entry.referer,
                                     &entry.user_agent, &entry.upstream, &entry.request_id};
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    *texts[i] = {at, header.lengths[i]};
    at += header.lengths[i];
  }
  popped_ += header.size;
  return true;
}

// ---- writer ----------------------------------------------------------------------------------

namespace {
constexpr Duration kDrainInterval = std::chrono::milliseconds(20);
constexpr std::size_t kBatchBytes = 64 * 1024;  // per write(2)
}  // namespace

AccessLogWriter::AccessLogWriter(std::size_t workers) {
  for (std::size_t i = 0; i < workers; ++i) rings_.push_back(std::make_unique<LogRing>());
  thread_ = std::thread([this] { run(); });
}

AccessLogWriter::~AccessLogWriter() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

static Expected<std::shared_ptr<UniqueFd>, std::string> open_log(const std::string& path) {
  auto file = std::make_shared<UniqueFd>(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!*file) return Unexpected{path + ": " + std::strerror(errno)};
  return file;
}

Expected<void, std::string> AccessLogWriter::configure(const AccessLog& config) {
  {
    std::lock_guard lock(mutex_);
    if (config == config_) return {};
  }
  std::shared_ptr<UniqueFd> file;
  if (config.format != AccessLogFormat::off) {
    auto opened = open_log(config.path);
    if (!opened) return Unexpected{std::move(opened).error()};
    file = std::move(opened).value();
  }
  std::lock_guard lock(mutex_);
  config_ = config;
  file_ = std::move(file);
  is_enabled_.store(config.format != AccessLogFormat::off, std::memory_order_relaxed);
  wake_.notify_one();
  return {};
}

void AccessLogWriter::reopen() {
  std::string path;
  {
    std::lock_guard lock(mutex_);
    if (config_.format == AccessLogFormat::off) return;
    path = config_.path;
  }
  auto opened = open_log(path);
  if (!opened) {
    log::error("access_log cannot be reopened, the old file stays: " + opened.error());
    return;
  }
  std::lock_guard lock(mutex_);
  file_ = std::move(opened).value();
}

bool AccessLogWriter::drain(std::string& lines, std::uint64_t& count) {
  AccessLogFormat format;
  std::shared_ptr<UniqueFd> file;
  {
    std::lock_guard lock(mutex_);
    format = config_.format;
    file = file_;
  }
  lines.clear();
  count = 0;
  LogEntry entry;
  for (auto& ring : rings_) {
    while (lines.size() < kBatchBytes && ring->pop(entry)) {
      if (format == AccessLogFormat::json) {
        format_json(entry, lines);
      } else {
        format_combined(entry, lines);
      }
      ++count;
    }
  }
  if (count == 0) return false;
  std::string_view rest = lines;
  while (file != nullptr && !rest.empty()) {
    const ssize_t result = ::write(file->get(), rest.data(), rest.size());
    if (result < 0 && errno == EINTR) continue;
    if (result <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(result));
  }
  (rest.empty() ? written_ : lost_).fetch_add(count, std::memory_order_relaxed);
  return true;
}

void AccessLogWriter::run() {
  std::string lines;
  std::uint64_t count = 0;
  for (;;) {
    bool is_last;
    {
      std::unique_lock lock(mutex_);
      if (config_.format == AccessLogFormat::off) {
        wake_.wait(lock, [this] { return stop_ || config_.format != AccessLogFormat::off; });
      } else if (!stop_) {
        wake_.wait_for(lock, kDrainInterval);
      }
      is_last = stop_;
    }
    while (drain(lines, count)) {
    }
    if (is_last) return;
  }
}

}  // namespace vipair::proxy
