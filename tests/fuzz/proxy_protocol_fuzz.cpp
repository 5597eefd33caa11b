// Any bytes as the header of a PROXY protocol: judged the same in whatever pieces they come, never beyond the
// bound, and what was understood is written and understood again.

#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/policy/proxy_protocol.h"

using namespace vipair;
using namespace vipair::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Status = ProxyHeader::Status;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const ProxyHeader header = parse_proxy_header(bytes);
  for (std::size_t end = 0; end < size && end < 300; ++end) {
    const ProxyHeader part = parse_proxy_header(std::string(bytes, 0, end));
    if (part.status == Status::incomplete) continue;
    VIPAIR_ASSERT(part.status == header.status && part.size == header.size, "a judgement is final");
    break;
  }
  if (header.status == Status::incomplete) VIPAIR_ASSERT(size < kProxyHeaderMax, "the bound is enough");
  if (header.status != Status::complete) return 0;
  VIPAIR_ASSERT(header.size > 0 && header.size <= size && header.size <= kProxyHeaderMax, "a header has an end");
  if (!header.addresses) return 0;
  for (ProxyProtocol version : {ProxyProtocol::v1, ProxyProtocol::v2}) {
    http::Buffer out;
    append_proxy_header(out, version, *header.addresses);
    const ProxyHeader again = parse_proxy_header(out.view());
    VIPAIR_ASSERT(again.status == Status::complete && again.size == out.size(), "what is written is whole");
    VIPAIR_ASSERT(again.addresses == header.addresses, "and says the same");
  }
  return 0;
}
