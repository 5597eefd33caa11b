#pragma once
// The part of /status and /metrics that tells of checked servers and of names.

#include <boost/json/value.hpp>

#include "common/runtime/metrics.h"
#include "proxy/server/server_view.h"

namespace vipair::proxy {

boost::json::value check_json(const ServerView& view, const Server& server);  // null: it is not checked
boost::json::value names_json(const ServerView& view);
void add_health_metrics(MetricsWriter& out, const ServerView& view);

}  // namespace vipair::proxy
