#pragma once
// Stream sockets that listen: on a path, in the place of what a crashed instance left there, or on a TCP address.
// The errors are texts that begin with the step that failed.

#include <sys/un.h>

#include <string>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/runtime/unique_fd.h"

namespace vipair {

Expected<sockaddr_un, std::string> unix_address(const std::string& path);

// Made with mode 0660. A stale socket is replaced; a live one is an error that says that another instance runs, and
// what is no socket is left alone.
Expected<UniqueFd, std::string> listen_on_unix(const std::string& path, int backlog);
// An IPv6 address is for IPv6 only.
Expected<UniqueFd, std::string> listen_on_tcp(const IpEndpoint& endpoint, int backlog);

}  // namespace vipair
