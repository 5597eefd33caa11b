#include "proxy/config_log.h"

#include "proxy/config_reader.h"
#include "proxy/http/log_format.h"

namespace vipair::proxy {

namespace {

constexpr std::int64_t kOneInMax = 1'000'000;

void read_template(ConfigGroup& group, AccessLog& log) {
  auto text = group.text("template");
  if (log.format != AccessLogFormat::custom) {
    if (text) group.error(*text, "is used with format = \"custom\" only");
    return;
  }
  if (!group.require("template") || !text) return;
  if (auto format = http::LogFormat::from_template(text->value); !format) group.error(*text, format.error());
  log.text = text->value;
}

// A file or syslog, one of them.
void read_target(ConfigGroup& group, AccessLog& log) {
  auto path = group.text("path");
  auto syslog = group.text("syslog");
  if (path && path->value.empty()) group.error(*path, "is empty, expected the path of a file");
  if (path) log.path = absolute(group.path_relative_to_file(path->value));
  if (syslog && path) {
    group.error(*syslog, "lines go to a file or to syslog, expected one of `path` and `syslog`");
  } else if (syslog && !syslog->value.empty() && syslog->value.front() == '/') {
    read_socket_path(group, "syslog", log.syslog);
  } else if (syslog) {
    if (auto endpoint = read_endpoint(group, *syslog, "192.0.2.9:514")) log.syslog = endpoint->to_string();
  } else if (!path && log.is_on()) {
    group.require("path");
  }
}

}  // namespace

void read_access_log(ConfigGroup& root, AccessLog& log) {
  auto group = root.group("access_log");
  if (!group) return;
  log.format = AccessLogFormat::combined;
  if (auto format = group->choice("format", {"off", "combined", "json", "custom"}))
    log.format = static_cast<AccessLogFormat>(*format);
  read_template(*group, log);
  read_target(*group, log);
  assign(log.one_in, group->integer("one_in", 1, kOneInMax));
  if (!log.is_on()) log = AccessLog();
  group->finish();
}

}  // namespace vipair::proxy
