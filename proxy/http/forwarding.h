#pragma once
// Heads on their way through the proxy: written anew from the parsed form, never passed on as they came (RFC 9110
// section 7.6, RFC 9112 sections 3 to 6 and 9, RFC 7239). Both functions only append to `out`.
//
// Requests always leave as HTTP/1.1 with one Host field (of the target in absolute form, else as sent; the server's
// address when an HTTP/1.0 client sent none) and with the framing that the parser understood.
//   - Connection, Keep-Alive, Proxy-Connection, Proxy-Authorization, TE, Transfer-Encoding and Upgrade end here,
//   and so
//     does every field that Connection names, except for the fields that carry meaning for us or for access
//     control: a client cannot name X-Forwarded-*, Forwarded, X-Real-IP, Via, Cookie, Authorization or Content-*
//     away.
//   - X-Forwarded-For, -Proto, -Host and Forwarded tell of the client; what a trusted client says of clients before
//   it
//     is kept in front, what others say is replaced. Every other X-Forwarded-* and X-Real-IP of an untrusted client
//     is dropped, and so is each spelling of a known name with '_' for '-'.
//   - Client-Cert (RFC 9440) tells of the certificate that the client has shown and we have verified; nobody but a
//     trusted client can say it.
//   - Expect: 100-continue is forwarded, not answered here: the origin decides (RFC 9110 section 10.1.1), and its
//   100
//     is relayed. From HTTP/1.0 clients it is dropped, as the section says.
//   - TE: trailers is repeated for the next hop, since trailers pass through. Via is extended. Max-Forwards of
//   OPTIONS
//     is counted down; at 0 the proxy answers itself (max_forwards_exhausted()).
//   - Upgrade names at most one protocol, the one of `facts` (requested_upgrade()).
// Responses leave with the status and reason of the upstream, without hop-by-hop fields, with Via, with Date if
// there was none, framed for the version of the client.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proxy/http/body.h"
#include "proxy/http/buffer.h"
#include "proxy/http/compression.h"
#include "proxy/http/exchange_facts.h"
#include "proxy/http/header_rules.h"
#include "proxy/http/message.h"
#include "proxy/http/path_mapping.h"

namespace vipair::http {

inline constexpr std::size_t kRequestIdMax = 128;  // bytes of a trusted client's X-Request-ID

// The client's X-Request-ID if it is trusted and has sent a usable one (visible ASCII), else `generated`.
std::string_view request_id_for(const RequestHead& head, const char* buffer, bool client_is_trusted,
                                std::string_view generated);

// The client waits for a 100 before it sends the body (never true of HTTP/1.0).
bool expects_continue(const RequestHead& head, const char* buffer);
// OPTIONS with Max-Forwards: 0 (RFC 9110 section 7.6.2): to be answered by the proxy itself.
bool max_forwards_exhausted(const RequestHead& head, const char* buffer);

// The request has come by this node so often already (its Via says) that it goes round in circles: an upstream
// leads back to us (RFC 9110 section 7.6). Coming by more than once is nothing bad: one site may ask another one.
inline constexpr int kTimesRoundMax = 8;
bool has_gone_round(const RequestHead& head, const char* buffer, std::string_view node);

// The first protocol that the client would rather speak and that is in `allowed` (RFC 9110 section 7.8); empty:
// none. HTTP/1.0 knows no upgrade, and an Upgrade field that Connection does not name is not meant for us.
std::string_view requested_upgrade(const RequestHead& head, const char* buffer,
                                   std::span<const std::string> allowed);

// What else changes on the way to the upstream.
struct RequestChanges {
  std::string_view own_cookie{};  // the name of a cookie that is ours: taken out, the others stay as they are
};

// `facts.target` is the target that is sent, `facts.path` and `facts.query` where that is empty.
void request_for_upstream(Buffer& out, const RequestHead& head, const char* buffer, const ExchangeFacts& facts,
                          const HeaderRules& rules, const RequestChanges& changes = {});

struct ClientConnection {
  std::uint8_t minor_version = 1;  // of the request
  Method method = Method::get;     // of the request
  bool wants_to_persist = true;    // connection_persists(request) and nothing on our side against it
  std::string_view date{};         // now, as proxy/http/date.h writes it
};

struct ResponseFraming {
  BodyFraming body;       // how the body has to be sent to the client
  bool persists = false;  // the client connection stays open behind it
};

// What the proxy itself changes about a response.
struct ResponseChanges {
  std::string_view appended{};  // whole lines, each with its CRLF: a cookie, Strict-Transport-Security
  // Compression (proxy/http/compression.h): the coding that the body is sent in, and whether another client might
  // have got another one. Nothing, or all that it implies: Content-Encoding, a weak ETag, no Content-Length.
  Coding coding = Coding::identity;
  bool varies_by_coding = false;
  bool weakens_etag = false;  // without a body: of a response whose bytes the client has in another coding
  const PathMapping* mapping = nullptr;  // of Location, Refresh and cookies
};

// A final response (status 200 or above).
ResponseFraming response_for_client(Buffer& out, const ResponseHead& head, const char* buffer,
                                    const ClientConnection& client, const ExchangeFacts& facts,
                                    const HeaderRules& rules, const ResponseChanges& changes = {});

// 1xx: passed on as it is, to HTTP/1.1 clients only (RFC 9110 section 15.2). False: nothing was written. The caller
// has dealt with 101.
bool interim_for_client(Buffer& out, const ResponseHead& head, const char* buffer, const ClientConnection& client,
                        const ExchangeFacts& facts);

// A 101: whether it switches to what was asked for, and only that. `asked` is empty when nothing was.
bool answers_upgrade(const ResponseHead& head, const char* buffer, std::string_view asked);
// Such a 101 on its way to the client; what follows it is no longer HTTP.
void switch_for_client(Buffer& out, const ResponseHead& head, const char* buffer, const ExchangeFacts& facts,
                       const HeaderRules& rules, const ResponseChanges& changes = {});

}  // namespace vipair::http
