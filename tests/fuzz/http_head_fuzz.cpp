// HTTP from anybody, read twice: by our parser and by Boost.Beast's. What we accept, Beast accepts too, with the
// same method, target, fields and framing; what we refuse and Beast accepts is our strictness and fine. The first
// byte of an input chooses what the rest is: 'Q' a request, 'R' a response, 'C' a chunked body.
//
// Also held: a head is never judged before its time or differently in pieces; what is forwarded of a request is a
// request with the same framing; a body is the same in whatever pieces it comes.

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/http/body.h"
#include "proxy/http/forwarding.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/target.h"

namespace {

using namespace vipair::http;
namespace asio = boost::asio;
namespace beast = boost::beast;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

// Beast judges fields that mean nothing to us: their values are what it may refuse and we pass.
bool holds_what_only_beast_reads(const FieldTable& fields) { return fields.has(FieldName::proxy_connection); }

template <class Parser>
void compare_fields(const Parser& parser, const FieldTable& fields, const char* buffer) {
  auto theirs = parser.get().begin();
  for (const Field& ours : fields) {
    // Beast keeps fields of one name together, in the place of the first
    auto range = parser.get().equal_range(beast::string_view(ours.name.in(buffer).data(), ours.name.length));
    bool found = false;
    for (auto it = range.first; it != range.second; ++it) {
      found |= view(it->name_string()) == ours.name.in(buffer) && view(it->value()) == ours.value.in(buffer);
    }
    VIPAIR_ASSERT(found, "both see the same fields");
  }
  std::size_t count = 0;
  for (; theirs != parser.get().end(); ++theirs) ++count;
  VIPAIR_ASSERT(count == fields.count, "both see as many fields");
}

template <class Parser>
void compare_framing(const Parser& parser, const FieldTable& fields, std::uint64_t content_length) {
  VIPAIR_ASSERT(parser.chunked() == fields.has(FieldName::transfer_encoding), "both see chunks");
  auto length = parser.content_length();
  VIPAIR_ASSERT(length.has_value() == fields.has(FieldName::content_length), "both see a length");
  VIPAIR_ASSERT(!length || *length == content_length, "both see the same length");
}

// One byte of ours that Beast does not know: minor versions above 1, which mean 1. `digit` is its place in the
// head.
std::string for_beast(std::string_view head, std::size_t digit) {
  std::string text(head);
  VIPAIR_ASSERT(text.substr(digit - 7, 7) == "HTTP/1.", "what is complete has a version");
  if (text[digit] > '1') text[digit] = '1';
  return text;
}

template <class Head>
using ParseHead = ParseResult (*)(std::string_view, const HeadLimits&, Head&, std::size_t);

// In pieces: incomplete until the verdict, then the same one, with and without the memory of what was seen.
template <class Head>
ParseResult parse_in_pieces(std::string_view input, ParseHead<Head> parse, Head& head) {
  ParseResult whole = parse(input, {}, head, 0);
  Head scratch;
  std::size_t seen = 0;
  for (std::size_t size = 0; size <= input.size(); size += 1 + size / 16) {
    ParseResult piece = parse(input.substr(0, size), {}, scratch, seen);
    if (piece.status == ParseStatus::incomplete) {
      VIPAIR_ASSERT(whole.status != ParseStatus::complete || size < head.size, "complete in time");
      seen = size;
      continue;
    }
    VIPAIR_ASSERT(piece.status == whole.status && piece.error == whole.error, "the same verdict in pieces");
    if (whole.status == ParseStatus::complete) VIPAIR_ASSERT(size >= head.size, "not complete too early");
    break;
  }
  return whole;
}

void check_forwarding(std::string_view input, const RequestHead& head) {
  Buffer scratch;
  auto target = canonical_target(head, input.data(), scratch);
  if (!target) return;
  ExchangeFacts facts;
  facts.client_address = "2001:db8::7";
  facts.scheme = "http";
  facts.path = head.form == TargetForm::authority ? head.target.in(input.data()) : target->path;
  facts.query = target->query;
  facts.node = "lb-a";
  facts.upstream_address = "10.0.0.7:80";
  for (bool is_trusted : {false, true}) {
    facts.client_is_trusted = is_trusted;
    facts.request_id = request_id_for(head, input.data(), is_trusted, "id");
    Buffer out;
    request_for_upstream(out, head, input.data(), facts, {});
    RequestHead again;
    HeadLimits wide;
    wide.head_bytes_max = wide.target_bytes_max = std::numeric_limits<std::uint32_t>::max();
    ParseResult result = parse_request_head(out.view(), wide, again);
    if (result.status == ParseStatus::error && result.error == HeadError::too_many_fields) continue;  // ours on top
    VIPAIR_ASSERT(result.status == ParseStatus::complete, "what is forwarded can be read");
    VIPAIR_ASSERT(again.size == out.size(), "and is one head");
    VIPAIR_ASSERT(again.method_name.in(out.data()) == head.method_name.in(input.data()), "the same method");
    VIPAIR_ASSERT(body_framing(again).framing == body_framing(head).framing, "the same framing");
    VIPAIR_ASSERT(body_framing(again).length == body_framing(head).length, "the same length");
    VIPAIR_ASSERT(!again.fields.has(FieldName::disguised), "no disguised names");
    VIPAIR_ASSERT(!again.fields.has(FieldName::upgrade), "no upgrade");
    if (head.form != TargetForm::authority) {
      Buffer scratch_again;
      auto target_again = canonical_target(again, out.data(), scratch_again);
      VIPAIR_ASSERT(target_again.has_value(), "a canonical target can be read");
      VIPAIR_ASSERT(target_again->path == facts.path && target_again->query == facts.query, "and stays as it is");
    }
  }
}

void check_request(std::string_view input) {
  RequestHead head;
  if (parse_in_pieces<RequestHead>(input, parse_request_head, head).status != ParseStatus::complete) return;
  check_forwarding(input, head);

  beast::http::request_parser<beast::http::empty_body> parser;
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(boost::none);
  const std::size_t begin = head.method_name.offset;  // behind empty lines
  const std::size_t version = head.target.offset + head.target.length + 1 - begin;
  std::string text = for_beast(input.substr(begin, head.size - begin), version + 7);
  beast::error_code error;
  parser.put(asio::buffer(text), error);
  if (error == beast::http::error::bad_value && holds_what_only_beast_reads(head.fields)) return;
  VIPAIR_ASSERT(!error || error == beast::http::error::need_more, "Beast accepts what we accept");
  VIPAIR_ASSERT(parser.is_header_done(), "Beast sees the end of the head");
  VIPAIR_ASSERT(view(parser.get().method_string()) == head.method_name.in(input.data()), "the same method");
  VIPAIR_ASSERT(view(parser.get().target()) == head.target.in(input.data()), "the same target");
  VIPAIR_ASSERT(parser.get().version() == 10U + head.minor_version, "the same version");
  compare_fields(parser, head.fields, input.data());
  compare_framing(parser, head.fields, head.content_length);
}

void check_response(std::string_view input) {
  ResponseHead head;
  if (parse_in_pieces<ResponseHead>(input, parse_response_head, head).status != ParseStatus::complete) return;

  Buffer out;
  ExchangeFacts facts;
  facts.node = "lb-a";
  if (head.status >= 200) {
    for (Method method : {Method::get, Method::head}) {
      for (std::uint8_t minor_version : {std::uint8_t{0}, std::uint8_t{1}}) {
        ClientConnection client;
        client.minor_version = minor_version;
        client.method = method;
        out.clear();
        auto framing = response_for_client(out, head, input.data(), client, facts, {});
        ResponseHead again;
        HeadLimits wide;
        wide.head_bytes_max = std::numeric_limits<std::uint32_t>::max();
        auto result = parse_response_head(out.view(), wide, again);
        if (result.status == ParseStatus::error && result.error == HeadError::too_many_fields) continue;
        VIPAIR_ASSERT(result.status == ParseStatus::complete && again.size == out.size(), "the client can read it");
        VIPAIR_ASSERT(body_framing(again, method).framing == framing.body.framing, "as it is meant");
        VIPAIR_ASSERT(body_framing(again, method).length == framing.body.length, "and as long");
      }
    }
  }

  beast::http::response_parser<beast::http::empty_body> parser;
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(boost::none);
  parser.skip(true);
  std::string text = for_beast(input.substr(0, head.size), 7);
  if (text[12] == '\r') text.insert(12, " ");  // we read a status line without the last space
  beast::error_code error;
  parser.put(asio::buffer(text), error);
  if (error == beast::http::error::bad_value && holds_what_only_beast_reads(head.fields)) return;
  VIPAIR_ASSERT(!error || error == beast::http::error::need_more, "Beast accepts what we accept");
  VIPAIR_ASSERT(parser.is_header_done(), "Beast sees the end of the head");
  VIPAIR_ASSERT(parser.get().result_int() == head.status, "the same status");
  if (head.reason.length != 0) {  // else Beast makes one up
    VIPAIR_ASSERT(view(parser.get().reason()) == head.reason.in(input.data()), "the same reason");
  }
  compare_fields(parser, head.fields, input.data());
  compare_framing(parser, head.fields, head.content_length);
}

struct Body {
  std::string payload;
  std::string trailers;
  std::size_t consumed = 0;
  bool is_complete = false;
  bool is_refused = false;
  friend bool operator==(const Body&, const Body&) = default;
};

Body decode(std::string_view input, std::size_t step_bytes) {
  BodyDecoder decoder({Framing::chunked, 0});
  Body body;
  while (!input.empty() && !decoder.is_complete() && !body.is_refused) {
    std::string piece(input.substr(0, step_bytes));
    auto step = decoder.decode(piece);
    VIPAIR_ASSERT(step.consumed <= piece.size() && step.payload.size() <= step.consumed, "it takes what there is");
    VIPAIR_ASSERT(step.consumed != 0 || step.error.has_value(), "it takes something");
    body.payload += step.payload;
    body.consumed += step.consumed;
    body.is_refused = step.error.has_value();
    input.remove_prefix(step.consumed);
  }
  VIPAIR_ASSERT(decoder.payload_bytes() == body.payload.size(), "it counts what it gives");
  body.is_complete = decoder.is_complete();
  body.trailers = decoder.trailers();
  return body;
}

void check_chunked(std::string_view input) {
  Body body = decode(input, std::max<std::size_t>(input.size(), 1));
  for (std::size_t bytes : {std::size_t{1}, std::size_t{2}, std::size_t{7}})
    VIPAIR_ASSERT(decode(input, bytes) == body, "the same body in pieces");
  if (!body.is_complete) return;

  beast::http::request_parser<beast::http::string_body> parser;
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(boost::none);
  parser.eager(true);
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string text = head + std::string(input.substr(0, body.consumed));
  std::size_t used = 0;
  beast::error_code error;
  while (!error && !parser.is_done()) {
    std::size_t bytes = parser.put(asio::buffer(text.data() + used, text.size() - used), error);
    used += bytes;
    if (bytes == 0) break;
  }
  // Beast reads extensions, which we pass by, and what trailers mean, of which we pass on only the harmless ones.
  const bool has_trailers = text.find(':', text.rfind('\n', text.size() - 5)) != std::string::npos;
  if (error && (has_trailers || input.find(';') != std::string_view::npos)) return;
  VIPAIR_ASSERT(!error, "Beast accepts what we accept");
  VIPAIR_ASSERT(parser.is_done() && used == text.size(), "and sees the same end");
  VIPAIR_ASSERT(parser.get().body() == body.payload, "and the same payload");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'Q':
      check_request(input);
      break;
    case 'R':
      check_response(input);
      break;
    case 'C':
      check_chunked(input);
      break;
    default:
      break;
  }
  return 0;
}
