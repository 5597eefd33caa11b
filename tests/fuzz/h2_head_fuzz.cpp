// The fields of an HTTP/2 header section, as HPACK gives them: any bytes as names and values. The first byte says
// what they are: 'Q' a request, 'R' a response, 'T' trailers, in lower case with more of the stream behind them.
// Then come fields, each behind a byte 0x1e, name and value with a byte 0x1f between them.
//
// What is not refused is text that the parsers of HTTP/1.1 read as exactly one head, or as trailers, with the
// framing that was meant; and made into fields again it says the same.

#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/http/body.h"
#include "proxy/http/h2_fields.h"
#include "proxy/http/h2_head.h"

namespace {

using namespace vipair::http;
using namespace vipair::http::h2;
using Kind = H2HeadText::Kind;

constexpr std::string_view kKey = "0123456789012345678A==";

void add_fields(H2HeadText& text, std::string_view input) {
  while (!input.empty()) {
    input.remove_prefix(1);
    const std::string_view field = input.substr(0, input.find('\x1e'));
    const std::size_t colon = field.find('\x1f');
    // of a size of their own, so that a byte read too far is noticed
    const std::string name(field.substr(0, colon));
    const std::string value(colon == std::string_view::npos ? std::string_view() : field.substr(colon + 1));
    text.add(name, value);
    input.remove_prefix(field.size());
  }
}

void check_framing(const H2HeadText& text, const BodyFraming& body) {
  VIPAIR_ASSERT((body.framing == Framing::chunked) == text.is_chunked(), "chunks where they are meant");
  if (body.framing == Framing::content_length) {
    VIPAIR_ASSERT(body.length == text.content_length().value_or(0), "as long as it says");
  }
}

void check_request(const H2HeadText& text, std::string_view written, bool ends_stream) {
  RequestHead head;
  const ParseResult result = parse_request_head(written, {}, head);
  VIPAIR_ASSERT(result.status != ParseStatus::incomplete, "the text has an end");
  if (result.status == ParseStatus::error) return;  // what is no host, for one, is its parser's to refuse
  VIPAIR_ASSERT(head.size == written.size(), "one head");
  VIPAIR_ASSERT(head.fields.has(FieldName::upgrade) == text.is_tunnel(), "an upgrade where a tunnel is meant");
  VIPAIR_ASSERT(text.is_tunnel() ? head.method == Method::get : head.method == text.method(), "the same method");
  check_framing(text, body_framing(head));
  if (head.form != TargetForm::origin) return;

  FieldLines lines;
  request_fields(head, written.data(), "https", text.is_tunnel(), lines);
  H2HeadText again;
  Buffer out;
  HeadLimits limits;
  limits.head_bytes_max *= 2;  // names that were left out stand there now
  again.begin(Kind::request, out, limits);
  for (const FieldLine& line : lines) again.add(line.name, line.value);
  const auto fault = again.finish(ends_stream, kKey);
  if (fault == HeadFault::too_many_fields) return;
  VIPAIR_ASSERT(!fault, "what was accepted is accepted again");
  VIPAIR_ASSERT(again.is_tunnel() == text.is_tunnel() && again.is_chunked() == text.is_chunked() &&
                    (text.is_tunnel() || again.content_length() == text.content_length()),
                "and means the same");
  RequestHead reread;
  const ParseResult second = parse_request_head(out.view(), limits, reread);
  VIPAIR_ASSERT(second.status == ParseStatus::complete && reread.size == out.size(), "and is one head again");
  VIPAIR_ASSERT(reread.target.in(out.data()) == head.target.in(written.data()), "with the same target");
}

void check_response(const H2HeadText& text, std::string_view written) {
  ResponseHead head;
  const ParseResult result = parse_response_head(written, {}, head);
  VIPAIR_ASSERT(result.status != ParseStatus::incomplete, "the text has an end");
  if (result.status == ParseStatus::error) return;
  VIPAIR_ASSERT(head.size == written.size() && head.status == text.status(), "one head, with its status");
  if (head.status >= 200 && head.status != 204 && head.status != 304) {
    check_framing(text, body_framing(head, Method::get));
  }
  FieldLines lines;
  response_fields(head, written.data(), head.status, lines);
  for (const FieldLine& line : lines) {
    VIPAIR_ASSERT(!line.name.empty(), "a name");
    for (char c : line.name) VIPAIR_ASSERT(std::isupper(static_cast<unsigned char>(c)) == 0, "in lower case");
  }
}

void check_trailers(std::string_view written) {
  if (written.size() > kTrailersMax) return;
  BodyDecoder decoder({Framing::chunked, 0});
  std::string body = "0\r\n" + std::string(written) + "\r\n";
  const auto step = decoder.decode(body);
  VIPAIR_ASSERT(!step.error, "trailers that a body may have");
  VIPAIR_ASSERT(step.is_complete && step.consumed == body.size(), "and nothing behind them");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const char first = static_cast<char>(data[0]);
  const bool ends_stream = std::islower(static_cast<unsigned char>(first)) == 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (!input.empty() && input.front() != '\x1e') return 0;
  const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(first)));
  const Kind kind = letter == 'R' ? Kind::response : letter == 'T' ? Kind::trailers : Kind::request;

  H2HeadText text;
  Buffer out;
  text.begin(kind, out, {}, Method::get);
  add_fields(text, input);
  if (text.finish(ends_stream, kKey)) return 0;
  const std::string written(out.view());
  if (kind == Kind::request) check_request(text, written, ends_stream);
  if (kind == Kind::response) check_response(text, written);
  if (kind == Kind::trailers) check_trailers(written);
  return 0;
}
