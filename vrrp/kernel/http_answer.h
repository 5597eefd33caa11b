#pragma once
// As much HTTP/1.1 as a health check needs: one GET, and the status of its answer (RFC 9112 sections 3 and 4).
// Functions of texts.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/expected.h"
#include "vrrp/agent/check_config.h"

namespace vipair::vrrp {

inline constexpr std::size_t kHttpHeadMax = 16 * 1024;  // bytes of an answer until the end of its head

std::string http_request(const HttpCheck& check);
// The final status, once the whole head has come; nullopt: read on. The error is why this will be no answer.
Expected<std::optional<int>, std::string> http_status(std::string_view received);

}  // namespace vipair::vrrp
