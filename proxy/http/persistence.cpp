#include "proxy/http/persistence.h"

namespace vipair::http {
namespace {

bool persists(std::uint8_t minor_version, const ConnectionOptions& connection) {
  if (connection.close) return false;
  return minor_version != 0 || connection.keep_alive;
}

}  // namespace

bool connection_persists(const RequestHead& head) { return persists(head.minor_version, head.fields.connection); }

bool connection_persists(const ResponseHead& head, Method request_method) {
  return persists(head.minor_version, head.fields.connection) &&
         body_framing(head, request_method).framing != Framing::until_close;
}

}  // namespace vipair::http
