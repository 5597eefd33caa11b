#pragma once
// Paths that are passed on in another form than they were asked for.

#include <string_view>

#include "proxy/http/buffer.h"

namespace vipair::policy {

// Appends `path` with `replacement` in place of its `prefix`; exactly one slash stands where they meet. All three
// begin with '/': "/api" by "/" makes "/x" of "/api/x"; "/api/" by "/v1" makes "/v1/x".
void replace_prefix(http::Buffer& out, std::string_view path, std::string_view prefix,
                    std::string_view replacement);

// Appends `query` ("?a=b" or nothing) behind a target that may have a query of its own.
void append_query(http::Buffer& target, std::string_view query);

}  // namespace vipair::policy
