#pragma once
// What becomes of a request whose head was parsed: it is passed on to a route's upstream, or it is answered here.
// Everything is decided that needs no upstream: site and route, methods, limits.

#include <optional>

#include "proxy/policy/refusal.h"
#include "proxy/server/answer.h"

namespace vipair::proxy {

// None: request.route and request.upstream are set, the request is passed on. Else it is answered (answer()).
std::optional<OwnAnswer> admit(WorkerContext& worker, const ClientInfo& client, Request& request);

}  // namespace vipair::proxy
