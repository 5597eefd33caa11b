#include "proxy/http/forwarding.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "proxy/http/chars.h"
#include "proxy/http/cookie.h"

namespace vipair::http {
namespace {

constexpr std::uint64_t bit(FieldName id) { return std::uint64_t{1} << static_cast<int>(id); }
template <class... Names>
constexpr std::uint64_t bits(Names... names) {
  return (bit(names) | ...);
}

// Fields of one connection, and those written anew from the parsed form.
constexpr std::uint64_t kConnectionFields =
    bits(FieldName::connection, FieldName::keep_alive, FieldName::proxy_connection, FieldName::te,
         FieldName::transfer_encoding, FieldName::content_length, FieldName::upgrade);
constexpr std::uint64_t kRequestRewritten =
    kConnectionFields | bits(FieldName::proxy_authorization, FieldName::host, FieldName::x_forwarded_for,
                             FieldName::x_forwarded_proto, FieldName::x_forwarded_host, FieldName::forwarded,
                             FieldName::x_request_id, FieldName::disguised);
constexpr std::uint64_t kResponseRewritten = kConnectionFields | bits(FieldName::proxy_authenticate);
constexpr std::uint64_t kClaimsOfClients =
    bits(FieldName::x_forwarded_other, FieldName::x_real_ip, FieldName::client_cert);

// What a Connection field cannot name away.
constexpr std::uint64_t kProtected =
    bits(FieldName::via, FieldName::x_forwarded_other, FieldName::x_real_ip, FieldName::client_cert,
         FieldName::cookie, FieldName::set_cookie, FieldName::authorization, FieldName::www_authenticate,
         FieldName::content_type, FieldName::content_encoding, FieldName::content_range, FieldName::cache_control,
         FieldName::date, FieldName::location, FieldName::max_forwards, FieldName::range);

bool is_named_by_connection(const FieldTable& fields, const Field& field, const char* buffer) {
  if ((kProtected & bit(field.id)) != 0) return false;
  const ConnectionOptions& connection = fields.connection;
  for (std::size_t i = 0; i < connection.count; ++i)
    if (equal_ignoring_case(connection.names[i].in(buffer), field.name.in(buffer))) return true;
  return false;
}

// Appends the fields that pass. Neighbours that came in the form we write (one space behind the colon, none before
// the line's end) are copied as one run.
void append_passing_fields(Buffer& out, const FieldTable& fields, const char* buffer, std::uint64_t dropped,
                           const HeaderRules* rules) {
  const bool is_selective = fields.connection.count != 0 || (rules != nullptr && !rules->empty());
  std::uint32_t run_begin = 0;
  std::uint32_t run_end = 0;  // behind the CRLF of the last field of the run
  auto flush = [&] { out.append({buffer + run_begin, run_end - run_begin}); };
  for (const Field& field : fields) {
    if ((dropped & bit(field.id)) != 0) continue;
    if (is_selective) {
      if (fields.connection.count != 0 && is_named_by_connection(fields, field, buffer)) continue;
      if (rules != nullptr && rules->removes(field.name.in(buffer))) continue;
    }
    const std::uint32_t name_end = field.name.offset + field.name.length;
    const std::uint32_t value_end = field.value.offset + field.value.length;
    const bool is_plain =
        field.value.offset == name_end + 2 && buffer[name_end + 1] == ' ' && buffer[value_end] == '\r';
    if (is_plain) {
      if (field.name.offset != run_end) {
        flush();
        run_begin = field.name.offset;
      }
      run_end = value_end + 2;
      continue;
    }
    flush();
    run_begin = run_end = 0;
    out.append(field.name.in(buffer));
    out.append(": ");
    out.append(field.value.in(buffer));
    out.append("\r\n");
  }
  flush();
}

void append_field(Buffer& out, std::string_view name_and_colon, std::string_view value) {
  out.append(name_and_colon);
  out.append(value);
  out.append("\r\n");
}

// The Cookie fields without the cookie of this name; a field that held nothing else is gone.
void append_cookies(Buffer& out, const FieldTable& fields, const char* buffer, std::string_view own) {
  for (const Field& field : fields) {
    if (field.id != FieldName::cookie) continue;
    const std::size_t before = out.size();
    out.append("Cookie: ");
    if (append_other_cookies(out, field.value.in(buffer), own) != 0) {
      out.append("\r\n");
    } else {
      out.shrink(before);
    }
  }
}

// The values of all fields of this name as the beginning of a list.
void append_list_so_far(Buffer& out, const FieldTable& fields, const char* buffer, FieldName id) {
  if (!fields.has(id)) return;
  for (const Field& field : fields) {
    if (field.id != id || field.value.length == 0) continue;
    out.append(field.value.in(buffer));
    out.append(", ");
  }
}

// The one value a trusted client may have set before us, else ours.
std::string_view believed(const RequestHead& head, const char* buffer, FieldName id, const ExchangeFacts& facts,
                          std::string_view ours) {
  if (!facts.client_is_trusted) return ours;
  const Field* field = head.fields.find(id);
  return field != nullptr && field->value.length != 0 ? field->value.in(buffer) : ours;
}

void append_via(Buffer& out, std::string_view name_and_version, std::string_view node, const HeaderRules* rules) {
  if (node.empty() || (rules != nullptr && rules->removes("via"))) return;
  append_field(out, name_and_version, node);
}
constexpr std::string_view via(std::uint8_t minor_version) {
  return minor_version == 0 ? "Via: 1.0 " : "Via: 1.1 ";
}

// The lists of hops get the one before us, whoever the client behind it is.
std::string_view peer_of(const ExchangeFacts& facts) {
  return facts.peer_address.empty() ? facts.client_address : facts.peer_address;
}

// RFC 7239 section 4: what is no token stands in quotes; an IPv6 address in brackets as well.
void append_forwarded(Buffer& out, const RequestHead& head, const char* buffer, const ExchangeFacts& facts,
                      std::string_view host) {
  out.append("Forwarded: ");
  if (facts.client_is_trusted) append_list_so_far(out, head.fields, buffer, FieldName::forwarded);
  const std::string_view peer = peer_of(facts);
  if (peer.find(':') != std::string_view::npos) {
    out.append("for=\"[");
    out.append(peer);
    out.append("]\"");
  } else {
    out.append("for=");
    out.append(peer);
  }
  if (!host.empty()) {
    const bool needs_quotes = host.find(':') != std::string_view::npos;
    out.append(needs_quotes ? ";host=\"" : ";host=");
    out.append(host);
    if (needs_quotes) out.append('"');
  }
  out.append(";proto=");
  out.append(facts.scheme);
  out.append("\r\n");
}

bool has_element(const FieldTable& fields, const char* buffer, FieldName id, std::string_view wanted) {
  if (!fields.has(id)) return false;
  for (const Field& field : fields) {
    if (field.id != id) continue;
    bool is_absent = for_each_element(field.value.in(buffer), [wanted](std::string_view element) {
      return !equal_ignoring_case(element, wanted);
    });
    if (!is_absent) return true;
  }
  return false;
}

std::uint64_t max_forwards(const RequestHead& head, const char* buffer) {
  constexpr std::uint64_t kMost = 1'000'000;  // more hops than any path has
  const Field* field = head.fields.find(FieldName::max_forwards);
  if (field == nullptr || field->value.length == 0) return kMost;
  std::uint64_t value = 0;
  for (char c : field->value.in(buffer)) {
    if (!is_digit(c)) return kMost;
    value = std::min<std::uint64_t>(value * 10 + static_cast<unsigned>(c - '0'), kMost);
  }
  return value;
}

// A strong entity tag promises the bytes that the server sent (RFC 9110 section 8.8.1).
void append_weak_etag(Buffer& out, const FieldTable& fields, const char* buffer) {
  const Field* etag = fields.find(FieldName::etag);
  if (etag == nullptr) return;
  const std::string_view value = etag->value.in(buffer);
  out.append(value.substr(0, 2) == "W/" ? "ETag: " : "ETag: W/");
  out.append(value);
  out.append("\r\n");
}

void append_vary(Buffer& out, const FieldTable& fields, const char* buffer) {
  const bool is_said = has_element(fields, buffer, FieldName::vary, "accept-encoding") ||
                       has_element(fields, buffer, FieldName::vary, "*");
  out.append("Vary: ");
  bool is_first = true;
  for (const Field& field : fields) {
    if (field.id != FieldName::vary || field.value.length == 0) continue;
    if (!std::exchange(is_first, false)) out.append(", ");
    out.append(field.value.in(buffer));
  }
  if (!is_said) out.append(is_first ? "Accept-Encoding" : ", Accept-Encoding");
  out.append("\r\n");
}

// The fields that name paths of the server's, in the client's terms.
constexpr std::uint64_t kMapped = bits(FieldName::location, FieldName::refresh, FieldName::set_cookie);
void append_mapped_fields(Buffer& out, const FieldTable& fields, const char* buffer, const HeaderRules& rules,
                          const PathMapping& mapping, const ExchangeFacts& facts) {
  if ((fields.present & kMapped) == 0) return;
  for (const Field& field : fields) {
    const std::string_view name = field.name.in(buffer), value = field.value.in(buffer);
    if ((kMapped & bit(field.id)) == 0 || is_named_by_connection(fields, field, buffer) || rules.removes(name))
      continue;
    out.append(name);
    out.append(": ");
    if (field.id == FieldName::location) {
      append_mapped_location(out, value, mapping, facts);
    } else if (field.id == FieldName::refresh) {
      append_mapped_refresh(out, value, mapping, facts);
    } else {
      append_mapped_cookie(out, value, mapping);
    }
    out.append("\r\n");
  }
}

void append_status_line(Buffer& out, const ResponseHead& head, const char* buffer) {
  const char digits[] = {static_cast<char>('0' + head.status / 100), static_cast<char>('0' + head.status / 10 % 10),
                         static_cast<char>('0' + head.status % 10), ' '};
  out.append("HTTP/1.1 ");
  out.append({digits, sizeof digits});
  out.append(head.reason.in(buffer));
  out.append("\r\n");
}

}  // namespace

std::string_view request_id_for(const RequestHead& head, const char* buffer, bool client_is_trusted,
                                std::string_view generated) {
  if (!client_is_trusted) return generated;
  const Field* field = head.fields.find(FieldName::x_request_id);
  if (field == nullptr || field->value.length == 0 || field->value.length > kRequestIdMax) return generated;
  std::string_view value = field->value.in(buffer);
  for (char c : value)
    if (c <= ' ' || c > '~') return generated;
  return value;
}

bool expects_continue(const RequestHead& head, const char* buffer) {
  return head.minor_version != 0 && has_element(head.fields, buffer, FieldName::expect, "100-continue");
}

bool max_forwards_exhausted(const RequestHead& head, const char* buffer) {
  return head.method == Method::options && max_forwards(head, buffer) == 0;
}

bool has_gone_round(const RequestHead& head, const char* buffer, std::string_view node) {
  if (!head.fields.has(FieldName::via)) return false;
  int times = 0;
  for (const Field& field : head.fields) {
    if (field.id != FieldName::via) continue;
    for_each_element(field.value.in(buffer), [&](std::string_view hop) {  // "1.1 lb-a (a comment)"
      const std::string_view by = trim_blanks(hop.substr(std::min(hop.find(' '), hop.size())));
      if (!node.empty() && by.substr(0, by.find(' ')) == node) ++times;
      return true;
    });
  }
  return times >= kTimesRoundMax;
}

std::string_view requested_upgrade(const RequestHead& head, const char* buffer,
                                   std::span<const std::string> allowed) {
  std::string_view found;
  if (head.minor_version == 0 || !head.fields.has(FieldName::upgrade) || !head.fields.connection.upgrade)
    return found;
  for (const Field& field : head.fields) {
    if (field.id != FieldName::upgrade) continue;
    for_each_element(field.value.in(buffer), [&](std::string_view element) {
      const bool is_allowed = std::any_of(allowed.begin(), allowed.end(), [element](const std::string& protocol) {
        return equal_ignoring_case(element, protocol);
      });
      if (is_allowed) found = element;
      return !is_allowed;
    });
    if (!found.empty()) break;
  }
  return found;
}

void request_for_upstream(Buffer& out, const RequestHead& head, const char* buffer, const ExchangeFacts& facts,
                          const HeaderRules& rules, const RequestChanges& changes) {
  const FieldTable& fields = head.fields;
  const std::string_view host = head.authority.in(buffer);
  const BodyFraming body = body_framing(head);
  std::uint64_t dropped = kRequestRewritten;
  if (!facts.client_is_trusted) dropped |= kClaimsOfClients;
  if (!facts.client_certificate.empty()) dropped |= bit(FieldName::client_cert);
  if (head.minor_version == 0) dropped |= bit(FieldName::expect);
  if (body.framing != Framing::chunked) dropped |= bit(FieldName::trailer);
  if (head.method == Method::options) dropped |= bit(FieldName::max_forwards);

  out.reserve(out.size() + head.size + 512);
  out.append(head.method_name.in(buffer));
  out.append(' ');
  if (facts.target.empty()) {
    out.append(facts.path);
    out.append(facts.query);
  } else {
    out.append(facts.target);
  }
  out.append(" HTTP/1.1\r\n");
  if (rules.empty() || !rules.removes("host")) {
    append_field(out, "Host: ", host.empty() ? facts.upstream_address : host);
  }

  const bool has_own_cookie = !changes.own_cookie.empty() && fields.has(FieldName::cookie);
  if (has_own_cookie) dropped |= bit(FieldName::cookie);
  append_passing_fields(out, fields, buffer, dropped, &rules);
  if (has_own_cookie && !rules.removes("cookie")) append_cookies(out, fields, buffer, changes.own_cookie);

  if (body.framing == Framing::chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (fields.has(FieldName::content_length)) {
    out.append("Content-Length: ");
    out.append_number(head.content_length);
    out.append("\r\n");
  }
  const bool takes_trailers = has_element(fields, buffer, FieldName::te, "trailers");
  if (!facts.upgrade.empty()) {
    out.append(takes_trailers ? "Connection: Upgrade, TE\r\nTE: trailers\r\n" : "Connection: Upgrade\r\n");
    append_field(out, "Upgrade: ", facts.upgrade);
  } else if (takes_trailers) {
    out.append("Connection: TE\r\nTE: trailers\r\n");
  }
  if (head.method == Method::options && fields.has(FieldName::max_forwards)) {
    std::uint64_t left = max_forwards(head, buffer);
    out.append("Max-Forwards: ");
    out.append_number(left == 0 ? 0 : left - 1);
    out.append("\r\n");
  }

  // our own fields give way to what the configuration sets
  auto append_own = [&](std::string_view name_and_colon, auto append_value) {
    if (!rules.empty() && rules.removes(name_and_colon.substr(0, name_and_colon.size() - 2))) return;
    out.append(name_and_colon);
    append_value();
    out.append("\r\n");
  };
  append_own("X-Forwarded-For: ", [&] {
    if (facts.client_is_trusted) append_list_so_far(out, fields, buffer, FieldName::x_forwarded_for);
    out.append(peer_of(facts));
  });
  append_own("X-Forwarded-Proto: ",
             [&] { out.append(believed(head, buffer, FieldName::x_forwarded_proto, facts, facts.scheme)); });
  std::string_view original_host = believed(head, buffer, FieldName::x_forwarded_host, facts, host);
  if (!original_host.empty()) append_own("X-Forwarded-Host: ", [&] { out.append(original_host); });
  if (rules.empty() || !rules.removes("forwarded")) append_forwarded(out, head, buffer, facts, host);
  if (!facts.request_id.empty()) append_own("X-Request-ID: ", [&] { out.append(facts.request_id); });
  if (!facts.client_certificate.empty()) append_own("Client-Cert: ", [&] { out.append(facts.client_certificate); });
  append_via(out, facts.client_speaks_http2 ? "Via: 2.0 " : via(head.minor_version), facts.node, &rules);
  rules.append_fields(facts, out);
  out.append("\r\n");
}

ResponseFraming response_for_client(Buffer& out, const ResponseHead& head, const char* buffer,
                                    const ClientConnection& client, const ExchangeFacts& facts,
                                    const HeaderRules& rules, const ResponseChanges& changes) {
  VIPAIR_ASSERT(head.status >= 200, "interim responses go another way");
  const FieldTable& fields = head.fields;
  const bool takes_chunked = client.minor_version != 0;
  ResponseFraming result{body_framing(head, client.method), client.wants_to_persist};
  // Without a body, the framing fields tell of the body that a GET would have had (RFC 9110 section 8.6). A 204 has
  // none.
  bool says_length = fields.has(FieldName::content_length) && head.status != 204;
  bool says_chunked =
      fields.has(FieldName::transfer_encoding) && takes_chunked && head.status != 204 && head.status != 304;
  const bool is_coded = changes.coding != Coding::identity;
  if (is_coded) {  // how long it will be is not known
    says_length = false;
    says_chunked = takes_chunked;
  }
  if (result.body.framing == Framing::chunked || result.body.framing == Framing::until_close ||
      (is_coded && result.body.framing == Framing::content_length)) {
    result.body.framing = takes_chunked ? Framing::chunked : Framing::until_close;
    says_chunked = takes_chunked;
    if (!takes_chunked) result.persists = false;
  }

  std::uint64_t dropped = kResponseRewritten;
  if (!says_chunked) dropped |= bit(FieldName::trailer);
  if (is_coded) dropped |= bit(FieldName::accept_ranges);
  if (is_coded || changes.weakens_etag) dropped |= bit(FieldName::etag);
  if (changes.varies_by_coding) dropped |= bit(FieldName::vary);
  if (changes.mapping != nullptr) dropped |= kMapped;
  out.reserve(out.size() + head.size + 256);
  append_status_line(out, head, buffer);
  append_passing_fields(out, fields, buffer, dropped, &rules);
  if (changes.mapping != nullptr) append_mapped_fields(out, fields, buffer, rules, *changes.mapping, facts);
  if (says_length) {
    out.append("Content-Length: ");
    out.append_number(head.content_length);
    out.append("\r\n");
  } else if (says_chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  }
  if (!fields.has(FieldName::date) && !client.date.empty() && !rules.removes("date"))
    append_field(out, "Date: ", client.date);
  append_via(out, via(head.minor_version), facts.node, &rules);
  if (!result.persists) {
    out.append("Connection: close\r\n");
  } else if (client.minor_version == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  if (is_coded) append_field(out, "Content-Encoding: ", to_string(changes.coding));
  if (is_coded || changes.weakens_etag) append_weak_etag(out, fields, buffer);
  if (changes.varies_by_coding) append_vary(out, fields, buffer);
  out.append(changes.appended);
  if (!rules.empty()) rules.append_fields(facts, out);
  out.append("\r\n");
  return result;
}

bool interim_for_client(Buffer& out, const ResponseHead& head, const char* buffer, const ClientConnection& client,
                        const ExchangeFacts& facts) {
  VIPAIR_ASSERT(head.status < 200 && head.status != 101, "only interim responses, and no switch of protocols");
  if (client.minor_version == 0) return false;
  append_status_line(out, head, buffer);
  append_passing_fields(out, head.fields, buffer, kResponseRewritten | bit(FieldName::trailer), nullptr);
  append_via(out, via(head.minor_version), facts.node, nullptr);
  out.append("\r\n");
  return true;
}

bool answers_upgrade(const ResponseHead& head, const char* buffer, std::string_view asked) {
  if (asked.empty() || head.minor_version == 0 || !head.fields.connection.upgrade) return false;
  int count = 0;
  for (const Field& field : head.fields) {
    if (field.id != FieldName::upgrade) continue;
    if (++count > 1 || !equal_ignoring_case(field.value.in(buffer), asked)) return false;
  }
  return count == 1;
}

void switch_for_client(Buffer& out, const ResponseHead& head, const char* buffer, const ExchangeFacts& facts,
                       const HeaderRules& rules, const ResponseChanges& changes) {
  VIPAIR_ASSERT(head.status == 101, "nothing else switches");
  append_status_line(out, head, buffer);
  append_passing_fields(out, head.fields, buffer, kResponseRewritten | bit(FieldName::trailer), &rules);
  out.append("Connection: Upgrade\r\n");
  append_field(out, "Upgrade: ", facts.upgrade);
  append_via(out, via(head.minor_version), facts.node, &rules);
  out.append(changes.appended);
  if (!rules.empty()) rules.append_fields(facts, out);
  out.append("\r\n");
}

}  // namespace vipair::http
