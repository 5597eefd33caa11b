#include "proxy/server/snapshot_files.h"

#include <string>
#include <utility>
#include <vector>

#include "common/runtime/clock.h"
#include "common/runtime/config_file.h"

namespace vipair::proxy {

namespace {
constexpr std::size_t kTicketFileMax = 4096;  // bytes
}

Expected<SnapshotFiles, ConfigErrors> load_snapshot_files(const Config& config, TicketKeys& tickets,
                                                          const Snapshot* previous) {
  SnapshotFiles files;
  ConfigErrors errors;
  files.stamps = stamps_of(files_of(config));  // before they are read: what changes meanwhile is found later
  auto tls = TlsContexts::load(config, tickets, wall_now(), previous ? previous->files.tls.get() : nullptr);
  if (!tls) {
    errors = std::move(tls).error();
  } else {
    files.tls = std::move(tls).value();
  }
  auto upstream_tls = load_upstream_tls(config, wall_now());
  if (!upstream_tls) {
    errors.insert(errors.end(), upstream_tls.error().begin(), upstream_tls.error().end());
  } else {
    files.upstream_tls = std::move(upstream_tls).value();
  }
  if (const FileSetting& file = config.tls.ticket_keys; file) {
    auto text = read_whole_file(file.path, kTicketFileMax);
    auto secrets = text ? TicketKeys::parse(*text)
                        : Expected<std::vector<TicketKeys::Secret>, std::string>(Unexpected{text.error()});
    if (!secrets) {
      errors.push_back(file.error(file.path + ": " + secrets.error()));
    } else {
      files.ticket_secrets = std::move(secrets).value();
    }
  }
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return files;
}

}  // namespace vipair::proxy
