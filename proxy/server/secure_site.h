#pragma once
// Whether a site answers a request over the connection that it came by: https = "off", "redirect", "both", "only",
// and the rules for clients' certificates, which belong to the connection and not to the request (RFC 9110 section
// 7.4: a request for another site with other rules is misdirected).

#include <optional>

#include "proxy/server/answer.h"

namespace vipair::proxy {

// None: it does. Else what the client is told: a redirect to https (request.answer_fields has the Location) or a
// refusal.
std::optional<OwnAnswer> check_security(WorkerContext& worker, const ClientInfo& client, Request& request,
                                        const Snapshot::Site& site);

}  // namespace vipair::proxy
