#pragma once
// Everything that a configuration names and that is read when a snapshot is made of it: certificates, keys,
// secrets.

#include "common/base/expected.h"
#include "proxy/server/session_tickets.h"
#include "proxy/server/snapshot.h"

namespace vipair::proxy {

// All of it, or what is wrong with each file. What is unchanged is taken over from `previous`, which may be null.
// `tickets` is not changed, but the contexts will use it.
Expected<SnapshotFiles, ConfigErrors> load_snapshot_files(const Config& config, TicketKeys& tickets,
                                                          const Snapshot* previous);

}  // namespace vipair::proxy
