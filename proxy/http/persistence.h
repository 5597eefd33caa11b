#pragma once
// Whether a connection may be used again behind a message (RFC 9112 section 9.3): as far as the heads say. Whoever
// calls adds what it knows itself: bodies that were not read to their end, a stop, a limit.

#include "proxy/http/body.h"
#include "proxy/http/message.h"

namespace vipair::http {

// The client wants to go on: HTTP/1.1 unless it says close, HTTP/1.0 only if it says keep-alive.
bool connection_persists(const RequestHead& head);
// The upstream goes on behind this response to a request of ours that did not say close.
bool connection_persists(const ResponseHead& head, Method request_method);

}  // namespace vipair::http
