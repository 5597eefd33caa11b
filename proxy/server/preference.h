#pragma once
// Which server a request would like: that of its sticky cookie, and with consistent hashing that of its key.

#include <string_view>

#include "proxy/http/message.h"
#include "proxy/server/dispatcher.h"
#include "proxy/server/snapshot.h"

namespace vipair::proxy {

// `buffer` is what the head's slices refer to. Cookies that are not known are counted in `numbers`.
Preference preference_of(const Snapshot::Upstream& upstream, const http::RequestHead& head, const char* buffer,
                         std::string_view path, std::string_view client_address, UpstreamNumbers::Slot& numbers);

}  // namespace vipair::proxy
