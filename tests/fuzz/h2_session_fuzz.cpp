// HTTP/2 frames from anybody: a client's session with everything behind it, or an upstream's connection. The first
// byte of an input chooses: 'C' the rest comes from a client behind its preface and SETTINGS, 'U' from an upstream
// behind its SETTINGS; the second is how many bytes are read at once. Whatever comes, nothing breaks, and when the
// connection is gone so is all that was done for it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "tests/support/conversation.h"
#include "tests/support/h2_peer.h"

namespace {

using namespace vipair::proxy;
using testing::Conversation;
using testing::H2Peer;

void play_client(std::string_view bytes, std::size_t at_once) {
  Conversation talk;
  auto wire = talk.connect_http2();
  H2Peer peer(*wire);
  wire->read_max = at_once;
  peer.send_preface();
  peer.send(bytes);
  talk.run();
  // Every origin answers, the first ones with a body and trailers.
  for (std::size_t i = 0; i < talk.connections(); ++i) {
    if (talk.origin(i).is_closed()) continue;
    talk.origin(i).send(i % 2 == 0
                            ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\na: b\r\n\r\n"
                            : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  }
  talk.run();
  (void)peer.frames();  // what we send can be read
  wire->reset();
  talk.pass(std::chrono::seconds(3));
  VIPAIR_ASSERT(wire->is_closed(), "the connection has ended");
  VIPAIR_ASSERT(talk.sessions() == 1, "and with it everything but the test's other client");
}

void play_upstream(std::string_view bytes, std::size_t at_once) {
  Config config = testing::simple_config();
  config.sites[0].upstreams[0].protocol = UpstreamProtocol::h2;
  Conversation talk(config);
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  auto& wire = talk.origin();
  wire.read_max = at_once;
  wire.send(testing::settings());
  wire.send(bytes);
  talk.run();
  for (std::size_t i = 0; i < talk.connections(); ++i) {  // a refused request makes another connection
    talk.origin(i).half_close();
    talk.pass(std::chrono::milliseconds(100));
  }
  VIPAIR_ASSERT(!talk.client().received().empty() || talk.client().was_aborted(), "the client knows how it ended");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t at_once = data[1] == 0 ? testing::kAnySize : data[1];
  if (data[0] == 'U') {
    play_upstream(bytes, at_once);
  } else {
    play_client(bytes, at_once);
  }
  return 0;
}
