// Any bytes as the first of a TLS client: judged the same in whatever pieces they come, never beyond the bound; a
// name that is found is a host name.

#include <string>

#include "common/base/assert.h"
#include "proxy/policy/client_hello.h"

using namespace vipair;
using namespace vipair::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Status = ClientHello::Status;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const ClientHello hello = parse_client_hello(bytes);
  const std::size_t step = size / 64 + 1;
  for (std::size_t end = 0; end < size; end += step) {
    const ClientHello part = parse_client_hello(std::string(bytes, 0, end));
    if (part.status == Status::incomplete) continue;
    VIPAIR_ASSERT(part.status == hello.status, "a judgement is final");
    VIPAIR_ASSERT(part.server_name.host() == hello.server_name.host(), "and so is the name");
    break;
  }
  if (hello.status == Status::incomplete) VIPAIR_ASSERT(size < kClientHelloMax, "the bound is enough");
  if (hello.status == Status::complete && !hello.server_name.empty()) {
    const auto again = http::Authority::parse(hello.server_name.host());
    VIPAIR_ASSERT(again && again->host() == hello.server_name.host() && again->port() == 0,
                  "a name in normal form");
  }
  return 0;
}
