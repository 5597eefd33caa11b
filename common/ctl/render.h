#pragma once
// What the daemons answer, as text for people. Functions of JSON values: a key that is missing or of another kind
// is shown as "-", one that is not known here is shown by its name, so that tool and daemons of different versions
// get along. Control characters never reach the terminal.

#include <boost/json/fwd.hpp>
#include <string>

namespace vipair::ctl {

std::string render_vrrp_status(const boost::json::value& status);
std::string render_proxy_status(const boost::json::value& status);
std::string render_events(const boost::json::value& events);

// The mistakes in a refusal of POST /reload, a line each: "node.conf:7: virtual_routers[0].vrid: …".
std::string render_errors(const boost::json::value& refusal);

std::string printable(std::string_view text);

}  // namespace vipair::ctl
