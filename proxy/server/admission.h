#pragma once
// What becomes of a request whose head was parsed: it is passed on to a route's upstream, or it is answered here.
// Everything is decided that needs no upstream, in this order: site and route (host, path, conditions, methods),
// access lists, rates, running requests, password, size of the body, and what the route does with it (redirect,
// fixed answer, rewrite).

#include <optional>

#include "proxy/policy/refusal.h"
#include "proxy/server/answer.h"

namespace vipair::proxy {

inline constexpr Duration kPasswordCheckMax = std::chrono::seconds(10);  // then 503

// None, and request.password_check is not set: request.route is set, the request is passed on. None, and it is set:
// a password is being checked; `waiter` is woken, and then admit_checked() goes on. Else it is answered (answer()).
std::optional<OwnAnswer> admit(WorkerContext& worker, const ClientInfo& client, Waiter& waiter, Request& request);

// The password was checked, or that took too long.
std::optional<OwnAnswer> admit_checked(WorkerContext& worker, const ClientInfo& client, Request& request);

// A new connection, before anything is read from it, and once more when a PROXY header has told whose it is: false,
// and counted as refused, when its address has as many as it may have. Else it counts for as long as a copy of
// `client` lives.
bool admit_connection(WorkerContext& worker, ClientInfo& client);

}  // namespace vipair::proxy
