#pragma once
// What the control socket tells as JSON: GET /status, and the answer to POST /reload.

#include <string>

#include "proxy/server/server_view.h"

namespace vipair::proxy {

std::string status_json(const ServerView& view);
std::string reload_json(const ConfigErrors& errors);  // {"reloaded": true, "errors": []}

}  // namespace vipair::proxy
