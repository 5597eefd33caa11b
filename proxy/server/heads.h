#pragma once
// The heads of an exchange on their way, each written anew (proxy/http/forwarding.h) with what is known of its
// request: the site's and the route's rules, cookies of our own, a coding. Then the exchange goes on with the body.

#include "proxy/server/client_info.h"
#include "proxy/server/request.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

// A server is connected: to it, for the first time or once more.
void send_request(WorkerContext& worker, const ClientInfo& client, Request& request);

// A head of the server's has come (Exchange::Step): to the client.
void send_interim_response(const WorkerContext& worker, const ClientInfo& client, Request& request);
void send_response(WorkerContext& worker, const ClientInfo& client, Request& request);
// A 101: the rest of both connections is a tunnel, and neither serves another request.
void send_switch(WorkerContext& worker, const ClientInfo& client, Request& request);

}  // namespace vipair::proxy
