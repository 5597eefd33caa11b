#pragma once
// What remains of a request when it is over: the worker's counters, those of its site and upstream, and a line of
// the access log.

#include "proxy/server/client_info.h"
#include "proxy/server/request.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

// Nothing when there was no request: a client that connected and said nothing.
void record(WorkerContext& worker, const ClientInfo& info, const Request& request);

}  // namespace vipair::proxy
