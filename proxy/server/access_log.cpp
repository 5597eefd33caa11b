#include "proxy/server/access_log.h"

#include <utility>

#include "common/base/assert.h"
#include "common/runtime/log.h"

namespace vipair::proxy {

namespace {
constexpr Duration kDrainInterval = std::chrono::milliseconds(20);
constexpr std::size_t kBatchBytes = 64 * 1024;  // per write(2)

http::LogFormat format_of(const AccessLog& config) {
  if (config.format == AccessLogFormat::json) return http::LogFormat::json();
  if (config.format == AccessLogFormat::combined) return http::LogFormat::combined();
  auto format = http::LogFormat::from_template(config.text);
  VIPAIR_ASSERT(format.has_value(), "the template is checked when the configuration is loaded");
  return std::move(format).value();
}

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

Expected<void, std::string> AccessLogWriter::configure(const AccessLog& config) {
  {
    std::lock_guard lock(mutex_);
    if (config == config_) return {};
  }
  std::shared_ptr<const Output> output;
  if (config.is_on()) {
    auto target = LogTarget::open(config);
    if (!target) return Unexpected{std::move(target).error()};
    output = std::make_shared<const Output>(Output{format_of(config), std::move(target).value()});
  }
  std::lock_guard lock(mutex_);
  config_ = config;
  output_ = std::move(output);
  one_in_.store(config.one_in, std::memory_order_relaxed);
  is_enabled_.store(config.is_on(), std::memory_order_relaxed);
  wake_.notify_one();
  return {};
}

void AccessLogWriter::reopen() {
  AccessLog config;
  {
    std::lock_guard lock(mutex_);
    config = config_;
  }
  if (!config.is_on()) return;
  auto target = LogTarget::open(config);
  if (!target) {
    log::error("access_log cannot be reopened, the old one stays: " + target.error());
    return;
  }
  auto output = std::make_shared<const Output>(Output{format_of(config), std::move(target).value()});
  std::lock_guard lock(mutex_);
  output_ = std::move(output);
}

bool AccessLogWriter::drain(std::string& lines) {
  std::shared_ptr<const Output> output;
  {
    std::lock_guard lock(mutex_);
    output = output_;
  }
  lines.clear();
  std::uint64_t count = 0;
  LogEntry entry;
  for (auto& ring : rings_) {
    while (lines.size() < kBatchBytes && ring->pop(entry)) {
      if (output != nullptr) output->format.append(entry, lines);
      ++count;
    }
  }
  if (count == 0) return false;
  const std::uint64_t lost = output == nullptr ? count : output->target.write(lines);
  lost_.fetch_add(lost, std::memory_order_relaxed);
  written_.fetch_add(count - lost, std::memory_order_relaxed);
  return true;
}

void AccessLogWriter::run() {
  std::string lines;
  for (;;) {
    bool is_last;
    {
      std::unique_lock lock(mutex_);
      if (!config_.is_on()) {
        wake_.wait(lock, [this] { return stop_ || config_.is_on(); });
      } else if (!stop_) {
        wake_.wait_for(lock, kDrainInterval);
      }
      is_last = stop_;
    }
    while (drain(lines)) {
    }
    if (is_last) return;
  }
}

}  // namespace vipair::proxy
