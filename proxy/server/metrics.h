#pragma once
// GET /metrics, for Prometheus.

#include <string>

#include "proxy/server/server_view.h"

namespace vipair::proxy {

std::string metrics_text(const ServerView& view);

}  // namespace vipair::proxy
