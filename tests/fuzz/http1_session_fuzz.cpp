// A conversation of which every byte is anybody's: a client's connection with everything behind it, and what
// origins answer. The first byte of an input is how many bytes are read at once (0: all there are); bytes 0xff part
// the rest into what the client says, what the newest origin says, the client again, and so on.
//
// Whatever is said, origins get whole requests one after another, each of which has one meaning; the client gets
// responses or nothing; and when the connections are gone so is all that was done for them.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/http/body.h"
#include "proxy/http/head_parser.h"
#include "tests/support/conversation.h"

namespace {

using namespace vipair::proxy;
namespace http = vipair::http;
using testing::Conversation;

// What one connection to an origin carried; the last message may be cut off.
void check_requests(std::string_view bytes) {
  http::HeadLimits wide;
  wide.head_bytes_max = wide.target_bytes_max = std::numeric_limits<std::uint32_t>::max();
  while (!bytes.empty()) {
    http::RequestHead head;
    const http::ParseResult result = http::parse_request_head(bytes, wide, head);
    if (result.status == http::ParseStatus::incomplete) return;
    if (result.status == http::ParseStatus::error && result.error == http::HeadError::too_many_fields)
      return;  // ours on top
    VIPAIR_ASSERT(result.status == http::ParseStatus::complete, "an origin can read what it gets");
    VIPAIR_ASSERT(head.method_name.offset == 0, "and nothing stands before it");
    if (head.fields.has(http::FieldName::upgrade)) return;  // behind it anything may come
    bytes.remove_prefix(head.size);
    http::BodyDecoder decoder(http::body_framing(head));
    while (!decoder.is_complete()) {
      const auto step = decoder.decode(bytes);
      VIPAIR_ASSERT(!step.error, "a body that an origin can read");
      bytes.remove_prefix(step.consumed);
      if (step.consumed == 0 && !decoder.is_complete()) return;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t at_once = data[0] == 0 ? testing::kAnySize : data[0];
  Config config = testing::simple_config(2);
  Conversation talk(config);
  talk.use_pieces([at_once] { return at_once; });
  for (bool is_client = true; !rest.empty(); is_client = !is_client) {
    const std::string_view part = rest.substr(0, rest.find('\xff'));
    if (is_client) {
      if (!talk.client().is_closed()) talk.client_sends(part);
    } else if (talk.connections() > 0 && !talk.origin().is_closed()) {
      talk.origin_sends(part);
    }
    rest.remove_prefix(part.size());
    if (!rest.empty()) rest.remove_prefix(1);
  }
  for (std::size_t i = 0; i < talk.connections(); ++i) check_requests(talk.origin(i).received());
  const std::string& answer = talk.client().received();
  VIPAIR_ASSERT(answer.empty() || answer.rfind("HTTP/1.1 ", 0) == 0, "the client gets a response");

  if (!talk.client().is_closed()) talk.client().reset();
  talk.pass(std::chrono::seconds(3));
  VIPAIR_ASSERT(talk.client().is_closed() && talk.sessions() == 0, "the connection has ended, and its session");
  return 0;
}
