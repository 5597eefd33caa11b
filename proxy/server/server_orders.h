#pragma once
// What an operator does with single servers while the proxy runs (vipairctl server …):
//
//   GET  /servers                            every server with its state
//   POST /servers/drain?server=NAME[&force=1]   no new clients for it. Clients that a sticky cookie binds to it are
//                                            served for the upstream's sticky.drain, with force no longer
//   POST /servers/ready?server=NAME          ends that
//
// NAME is SERVER, UPSTREAM/SERVER or SITE/UPSTREAM/SERVER; a shorter one means all that are called so. A drain
// outlives reloads, not the process. Requests and connections that run are never cut.

#include <string>

#include "common/runtime/control_socket.h"
#include "proxy/server/snapshot.h"

namespace vipair::proxy {

// "up", "down" (its health check says so), "ejected" (it fails), "draining"
const char* state_of(const Server& server, TimePoint now);

ControlResponse handle_server_order(const Snapshot& snapshot, const ControlRequest& request, TimePoint now);

}  // namespace vipair::proxy
