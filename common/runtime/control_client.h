#pragma once
// The client's side of a control socket, for vipairctl and tests: blocking, bounded in time and size.

#include <functional>
#include <string>
#include <string_view>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "common/runtime/control_message.h"

namespace vipair {

// One request, one answer.
Expected<ControlResponse, std::string> control_request(const std::string& socket_path, const std::string& method,
                                                       const std::string& target, const std::string& body,
                                                       Duration timeout);

// Follows a stream: `take` gets each piece as it comes until it returns false (then the result is the response
// without its body) or the daemon ends the stream (an error, since no stream has an end of its own). The timeout
// is for the beginning; between two pieces there may be any time. A status other than 200 comes back whole.
Expected<ControlResponse, std::string> control_follow(const std::string& socket_path, const std::string& target,
                                                      Duration timeout,
                                                      const std::function<bool(std::string_view)>& take);

}  // namespace vipair
