#pragma once
// What the daemons answer, as text for people. Functions of JSON values: a key that is missing or of another kind
// is shown as "-", one that is not known here is shown by its name, so that tool and daemons of different versions
// get along. Control characters never reach the terminal.

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

namespace vipair::ctl {

std::string render_vrrp_status(const boost::json::value& status);
std::string render_proxy_status(const boost::json::value& status);
std::string render_servers(const boost::json::value& answer);  // {"servers": […]}
// Of both daemons: {"vrrp": …, "proxy": …}, null for one that does not answer.
std::string render_statuses(const boost::json::object& both);
// A line for each thing whose state matters, without what changes all the time.
std::string render_states(const boost::json::object& both);
std::string render_event(const boost::json::value& event);
std::string render_events(const boost::json::value& events, std::size_t last = 1'000'000);
std::string render_plan(const boost::json::value& plan);
std::string render_findings(const boost::json::value& findings);

// The mistakes in a refusal of POST /reload, a line each: "node.conf:7: virtual_routers[0].vrid: …".
std::string render_errors(const boost::json::value& refusal);
std::string render_refusal(const boost::json::value& refusal);  // {"error": …} of any other path

std::string printable(std::string_view text);

// At most `lines` lines of at most `columns` characters; each ends with `end`.
std::string fitted(std::string_view text, int columns, int lines, std::string_view end);

}  // namespace vipair::ctl
