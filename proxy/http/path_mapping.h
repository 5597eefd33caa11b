#pragma once
// The way back through a route that replaces a prefix: a server that knows nothing of it names its own paths in
// Location, Refresh and the Path of cookies, and the client needs them in its terms.
//
//   - A path at or below the server's prefix gets the client's prefix instead; every other one stays.
//   - A URL with the host that the client asked for keeps its scheme and host; one with the server's own address or
//     port, where the client cannot go, becomes a path. Other hosts' URLs and relative references stay.
//   - A cookie's Path is mapped only where the client would never send the cookie otherwise: one that reaches
//     farther, such as "/", may be meant for other routes too.
//   - What would come out as "//name", and lead to another host, stays as it is.

#include <string_view>

#include "proxy/http/buffer.h"
#include "proxy/http/exchange_facts.h"

namespace vipair::http {

struct PathMapping {
  std::string_view outside;  // the prefix that clients ask for, "/api"
  std::string_view inside;   // what the server gets for it, "/v1"
};

// Each appends the field's value in the client's terms. `facts` tell the hosts.
void append_mapped_location(Buffer& out, std::string_view value, const PathMapping& mapping,
                            const ExchangeFacts& facts);
void append_mapped_refresh(Buffer& out, std::string_view value, const PathMapping& mapping,
                           const ExchangeFacts& facts);
void append_mapped_cookie(Buffer& out, std::string_view value, const PathMapping& mapping);  // of Set-Cookie

}  // namespace vipair::http
