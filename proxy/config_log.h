#pragma once
// access_log = { … }: what is written of each request, and to where.

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/ip_address.h"
#include "common/runtime/config_file.h"

namespace vipair::proxy {

enum class AccessLogFormat : std::uint8_t { off, combined, json, custom };

struct AccessLog {
  AccessLogFormat format = AccessLogFormat::off;
  std::string text;          // with custom: the template, checked
  std::string path;          // of a file, absolute; empty when the lines go to syslog
  std::string syslog;        // a datagram socket ("/dev/log") or "192.0.2.9:514"; empty when they go to a file
  std::uint32_t one_in = 1;  // of so many requests one is written; those with status 400 and above always
  bool is_on() const { return format != AccessLogFormat::off; }
  friend bool operator==(const AccessLog&, const AccessLog&) = default;
};

void read_access_log(ConfigGroup& root, AccessLog& log);

}  // namespace vipair::proxy
