#pragma once
// An answer of the proxy itself in place of an upstream's: an error page, a redirect, a fixed answer of a route.
// What the operator's header rules add stands behind our own fields.

#include <string_view>

#include "proxy/server/client_info.h"
#include "proxy/server/request.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

struct OwnAnswer {
  int status = 0;                   // 200 without a content_type: the answer to OPTIONS *
  std::string_view content_type{};  // empty: the page for the status
  std::string_view body{};          // outlives the request, as a part of the snapshot does
  std::string_view allow{};         // of a 405; empty: every method that passes the proxy
};

// Puts it into request.exchange.to_client behind whatever request.answer_fields holds ("Location: …\r\n"), and
// decides what becomes of the connection. The request's state is `answering` afterwards.
void answer(WorkerContext& worker, const ClientInfo& client, Request& request, const OwnAnswer& answer);

}  // namespace vipair::proxy
