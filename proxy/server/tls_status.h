#pragma once
// TLS as the operator sees it: the certificates with their days left, and the handshakes.

#include <boost/json/object.hpp>

#include "common/runtime/metrics.h"
#include "proxy/server/server_view.h"

namespace vipair::proxy {

boost::json::object tls_json(const ServerView& view);
void add_tls_metrics(MetricsWriter& out, const ServerView& view);

}  // namespace vipair::proxy
