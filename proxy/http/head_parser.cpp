#include "proxy/http/head_parser.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "proxy/http/chars.h"
#include "proxy/http/scan.h"

namespace vipair::http {
namespace {

constexpr std::size_t kMethodMax = 32;       // bytes; the longest registered one has 17
constexpr std::size_t kBytesMax = 1U << 30;  // Slice counts in 32 bits

constexpr ParseResult kIncomplete{ParseStatus::incomplete, {}};
constexpr ParseResult kComplete{ParseStatus::complete, {}};
constexpr ParseResult refuse(HeadError error) { return {ParseStatus::error, error}; }

Slice slice(std::size_t begin, std::size_t end) {
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)};
}

// Finds the next byte of a class at or after a position. Classifies a window of blocks at a time, because a body
// may follow the head and is not worth classifying. Positions only grow.
class Scanner {
 public:
  Scanner(const char* data, std::size_t size) : data_(data), size_(size), classify_(best_classifier()) {}

  std::size_t next_not_token(std::size_t from) { return next<&BlockMasks::not_token>(from); }
  std::size_t next_control(std::size_t from) { return next<&BlockMasks::control>(from); }

 private:
  static constexpr std::size_t kBlocks = 8;

  template <auto kClass>
  std::size_t next(std::size_t from) {
    for (std::size_t at = from; at < size_;) {
      if (at >= window_end_) load(at & ~(kBlockBytes - 1));
      std::uint64_t bits = masks_[(at - window_begin_) / kBlockBytes].*kClass >> at % kBlockBytes;
      if (bits != 0) return std::min(at + static_cast<std::size_t>(std::countr_zero(bits)), size_);
      at = (at | (kBlockBytes - 1)) + 1;
    }
    return size_;
  }

  void load(std::size_t begin) {
    std::size_t whole_blocks = std::min((size_ - begin) / kBlockBytes, kBlocks);
    if (whole_blocks != 0) {
      classify_(data_ + begin, whole_blocks, masks_);
      window_end_ = begin + whole_blocks * kBlockBytes;
    } else {
      char last[kBlockBytes] = {};  // never read behind the buffer; the padding is cut off by size_
      std::memcpy(last, data_ + begin, size_ - begin);
      classify_(last, 1, masks_);
      window_end_ = begin + kBlockBytes;
    }
    window_begin_ = begin;
  }

  const char* data_;
  std::size_t size_;
  Classifier classify_;
  std::size_t window_begin_ = 0;
  std::size_t window_end_ = 0;
  BlockMasks masks_[kBlocks];
};

bool parse_content_length(std::string_view text, std::uint64_t& length) {
  if (text.empty() || text.size() > 18) return false;  // 18 digits cannot overflow
  std::uint64_t value = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  length = value;
  return true;
}

class HeadParser {
 public:
  HeadParser(const char* data, std::size_t size, const HeadLimits& limits)
      : data_(data), size_(size), fields_max_(std::min(limits.fields_max, kFieldsMax)), scan_(data, size) {}

  ParseResult request(const HeadLimits& limits, RequestHead& out);
  ParseResult response(ResponseHead& out);

 private:
  ParseResult version(std::size_t& at, std::uint8_t& minor_version) const;
  ParseResult target_form(std::size_t begin, std::size_t end, RequestHead& out) const;
  ParseResult fields(std::size_t& at, FieldTable& out);
  HeadError name_error(std::size_t begin, std::size_t end) const;
  ParseResult framing(const FieldTable& fields, std::uint8_t minor_version, std::uint64_t& content_length) const;
  ParseResult connection_options(Slice value, ConnectionOptions& out) const;
  std::string_view text(std::size_t begin, std::size_t end) const { return {data_ + begin, end - begin}; }

  const char* data_;
  std::size_t size_;
  std::size_t fields_max_;
  Scanner scan_;
};

ParseResult HeadParser::request(const HeadLimits& limits, RequestHead& out) {
  std::size_t at = 0;
  for (int lines = 0; at < size_ && data_[at] == '\r'; ++lines) {
    if (at + 1 == size_) return kIncomplete;
    if (data_[at + 1] != '\n') return refuse(HeadError::bare_cr);
    if (lines == kEmptyLinesMax) return refuse(HeadError::bad_method);
    at += 2;
  }

  std::size_t method_end = scan_.next_not_token(at);
  if (method_end - at > kMethodMax) return refuse(HeadError::bad_method);
  if (method_end == size_) return kIncomplete;
  if (data_[method_end] != ' ' || method_end == at) {
    return refuse(data_[method_end] == '\n' ? HeadError::bare_lf : HeadError::bad_method);
  }
  out.method_name = slice(at, method_end);
  out.method = method_from(text(at, method_end));

  std::size_t target_begin = method_end + 1;
  std::size_t target_end = target_begin;
  std::size_t target_limit = target_begin + std::min(size_ - target_begin, limits.target_bytes_max);
  while (target_end < target_limit && kTargetChars[static_cast<unsigned char>(data_[target_end])]) ++target_end;
  if (target_end == size_) return kIncomplete;
  if (kTargetChars[static_cast<unsigned char>(data_[target_end])]) return refuse(HeadError::target_too_long);
  if (data_[target_end] != ' ') {
    if (data_[target_end] == '\n') return refuse(HeadError::bare_lf);
    // no version follows: HTTP/0.9
    return refuse(data_[target_end] == '\r' ? HeadError::bad_version : HeadError::bad_target);
  }
  if (target_end == target_begin) return refuse(HeadError::bad_target);
  out.target = slice(target_begin, target_end);

  at = target_end + 1;
  if (auto result = version(at, out.minor_version); result.status != ParseStatus::complete) return result;
  if (at == size_) return kIncomplete;
  if (data_[at] != '\r') return refuse(data_[at] == '\n' ? HeadError::bare_lf : HeadError::bad_version);
  if (at + 1 == size_) return kIncomplete;
  if (data_[at + 1] != '\n') return refuse(HeadError::bare_cr);
  at += 2;

  if (auto result = target_form(target_begin, target_end, out); result.status != ParseStatus::complete)
    return result;
  if (auto result = fields(at, out.fields); result.status != ParseStatus::complete) return result;

  const Field* host = out.fields.find(FieldName::host);
  if (host == nullptr) {
    if (out.minor_version != 0) return refuse(HeadError::missing_host);
  } else if (out.authority.length == 0) {
    out.authority = host->value;
    if (!out.host.assign(host->value.in(data_))) return refuse(HeadError::bad_host);
  } else if (Authority ignored; !ignored.assign(host->value.in(data_))) {
    return refuse(HeadError::bad_host);  // overruled by the target, invalid all the same
  }
  out.size = static_cast<std::uint32_t>(at);
  return framing(out.fields, out.minor_version, out.content_length);
}

ParseResult HeadParser::response(ResponseHead& out) {
  std::size_t at = 0;
  if (auto result = version(at, out.minor_version); result.status != ParseStatus::complete) {
    return result.error == HeadError::bad_version ? refuse(HeadError::bad_status_line) : result;
  }
  if (size_ - at < 5) {  // " 200" and what comes behind it
    std::size_t line_end = scan_.next_control(at);
    return line_end < size_ ? refuse(HeadError::bad_status_line) : kIncomplete;
  }
  unsigned status = 0;
  for (std::size_t i = at + 1; i < at + 4; ++i) {
    if (!is_digit(data_[i])) return refuse(HeadError::bad_status_line);
    status = status * 10 + static_cast<unsigned>(data_[i] - '0');
  }
  if (data_[at] != ' ' || status < 100 || status > 599) return refuse(HeadError::bad_status_line);
  out.status = static_cast<std::uint16_t>(status);
  at += 4;
  if (data_[at] == ' ') {
    ++at;
  } else if (data_[at] != '\r') {  // many servers leave the space out when there is no reason phrase
    return refuse(data_[at] == '\n' ? HeadError::bare_lf : HeadError::bad_status_line);
  }
  std::size_t reason_end = scan_.next_control(at);
  if (reason_end == size_) return kIncomplete;
  if (data_[reason_end] != '\r') {
    return refuse(data_[reason_end] == '\n' ? HeadError::bare_lf : HeadError::bad_status_line);
  }
  if (reason_end + 1 == size_) return kIncomplete;
  if (data_[reason_end + 1] != '\n') return refuse(HeadError::bare_cr);
  out.reason = slice(at, reason_end);
  at = reason_end + 2;

  if (auto result = fields(at, out.fields); result.status != ParseStatus::complete) return result;
  out.size = static_cast<std::uint32_t>(at);
  return framing(out.fields, out.minor_version, out.content_length);
}

// "HTTP/1.1"; `at` moves behind it. A minor version above 1 is a 1.1 that can more (RFC 9110 section 2.5).
ParseResult HeadParser::version(std::size_t& at, std::uint8_t& minor_version) const {
  constexpr std::string_view kName = "HTTP/";
  std::string_view rest = text(at, size_);
  std::string_view name = rest.substr(0, kName.size());
  if (name != kName.substr(0, name.size())) return refuse(HeadError::bad_version);
  if (rest.size() < kName.size() + 3) return kIncomplete;
  if (!is_digit(rest[5]) || rest[6] != '.' || !is_digit(rest[7])) return refuse(HeadError::bad_version);
  if (rest[5] != '1') return refuse(HeadError::unsupported_version);
  minor_version = rest[7] == '0' ? 0 : 1;
  at += kName.size() + 3;
  return kComplete;
}

// RFC 9112 section 3.2: authority form is for CONNECT alone, the asterisk for OPTIONS alone.
ParseResult HeadParser::target_form(std::size_t begin, std::size_t end, RequestHead& out) const {
  out.authority = {};
  out.host.clear();
  std::string_view target = text(begin, end);
  if (out.method == Method::connect) {
    out.form = TargetForm::authority;
    out.authority = out.target;
    out.path_and_query = {};
    if (!out.host.assign(target) || out.host.port() == 0) return refuse(HeadError::bad_target);
    return kComplete;
  }
  if (target.front() == '/') {
    out.form = TargetForm::origin;
    out.path_and_query = out.target;
    return kComplete;
  }
  if (target == "*") {
    out.form = TargetForm::asterisk;
    out.path_and_query = out.target;
    return out.method == Method::options ? kComplete : refuse(HeadError::bad_target);
  }
  std::size_t scheme = 0;
  if (target.size() > 7 && equal_ignoring_case(target.substr(0, 7), "http://")) {
    scheme = 7;
  } else if (target.size() > 8 && equal_ignoring_case(target.substr(0, 8), "https://")) {
    scheme = 8;
  } else {
    return refuse(HeadError::bad_target);
  }
  out.form = TargetForm::absolute;
  std::size_t authority_begin = begin + scheme;
  std::size_t authority_end = std::min(begin + target.find_first_of("/?", scheme), end);
  if (target.find_first_of("/?", scheme) == std::string_view::npos) authority_end = end;
  out.authority = slice(authority_begin, authority_end);
  out.path_and_query = slice(authority_end, end);
  if (!out.host.assign(text(authority_begin, authority_end))) return refuse(HeadError::bad_target);
  return kComplete;
}

ParseResult HeadParser::fields(std::size_t& at, FieldTable& out) {
  out.count = 0;
  out.present = 0;
  out.connection.close = out.connection.keep_alive = out.connection.upgrade = out.connection.te = false;
  out.connection.count = 0;
  for (;;) {
    if (at == size_) return kIncomplete;
    if (data_[at] == '\r') {
      if (at + 1 == size_) return kIncomplete;
      if (data_[at + 1] != '\n') return refuse(HeadError::bare_cr);
      at += 2;
      return kComplete;
    }
    std::size_t name_end = scan_.next_not_token(at);
    if (name_end == size_) return kIncomplete;
    if (data_[name_end] != ':' || name_end == at) {
      if (data_[name_end] == '\r' && name_end + 1 == size_) return kIncomplete;
      return refuse(name_error(at, name_end));
    }
    if (out.count == fields_max_) return refuse(HeadError::too_many_fields);

    std::size_t value_begin = name_end + 1;
    while (value_begin < size_ && is_blank(data_[value_begin])) ++value_begin;
    std::size_t line_end = scan_.next_control(value_begin);
    if (line_end == size_) return kIncomplete;
    if (data_[line_end] != '\r') {
      return refuse(data_[line_end] == '\n' ? HeadError::bare_lf : HeadError::bad_field_value);
    }
    if (line_end + 1 == size_) return kIncomplete;
    if (data_[line_end + 1] != '\n') return refuse(HeadError::bare_cr);
    std::size_t value_end = line_end;
    while (value_end > value_begin && is_blank(data_[value_end - 1])) --value_end;

    Field& field = out.fields[out.count++];
    field.name = slice(at, name_end);
    field.value = slice(value_begin, value_end);
    field.id = field_name_from(text(at, name_end));
    if (out.has(field.id)) {
      if (field.id == FieldName::content_length) return refuse(HeadError::repeated_content_length);
      if (field.id == FieldName::host) return refuse(HeadError::repeated_host);
    }
    out.present |= std::uint64_t{1} << static_cast<int>(field.id);
    if (field.id == FieldName::connection) {
      auto result = connection_options(field.value, out.connection);
      if (result.status != ParseStatus::complete) return result;
    }
    at = line_end + 2;
  }
}

// The line from `begin` on has no token followed by a colon; `end` is the first byte that is not part of a token.
HeadError HeadParser::name_error(std::size_t begin, std::size_t end) const {
  char c = data_[end];
  if (c == '\n') return HeadError::bare_lf;
  if (c == '\r') return data_[end + 1] == '\n' ? HeadError::bad_field_name : HeadError::bare_cr;
  if (begin != end) return is_blank(c) ? HeadError::space_before_colon : HeadError::bad_field_name;
  if (is_blank(c)) return HeadError::obsolete_fold;
  return c == ':' ? HeadError::empty_field_name : HeadError::bad_field_name;
}

// RFC 9110 section 7.6.1. What is no list of tokens could hide a name, so it is refused.
ParseResult HeadParser::connection_options(Slice value, ConnectionOptions& out) const {
  ParseResult result = kComplete;
  for_each_element(value.in(data_), [&](std::string_view option) {
    if (equal_ignoring_case(option, "keep-alive")) return out.keep_alive = true;
    if (equal_ignoring_case(option, "close")) return out.close = true;
    if (equal_ignoring_case(option, "upgrade")) return out.upgrade = true;
    if (equal_ignoring_case(option, "te")) return out.te = true;
    if (!is_token(option)) {
      result = refuse(HeadError::bad_connection);
    } else if (out.count == ConnectionOptions::kNamesMax) {
      result = refuse(HeadError::too_many_connection_options);
    } else {
      auto begin = static_cast<std::size_t>(option.data() - data_);
      out.names[out.count++] = slice(begin, begin + option.size());
    }
    return result.status == ParseStatus::complete;
  });
  return result;
}

ParseResult HeadParser::framing(const FieldTable& fields, std::uint8_t minor_version,
                                std::uint64_t& content_length) const {
  content_length = 0;
  const Field* length = fields.find(FieldName::content_length);
  if (length != nullptr && !parse_content_length(length->value.in(data_), content_length)) {
    return refuse(HeadError::bad_content_length);
  }
  if (!fields.has(FieldName::transfer_encoding)) return kComplete;
  if (length != nullptr) return refuse(HeadError::content_length_with_transfer_encoding);
  if (minor_version == 0) return refuse(HeadError::transfer_encoding_in_http10);
  // "chunked" alone is understood (RFC 9112 section 6.1); the rest finds the name of the refusal. Several fields
  // are one list (RFC 9110 section 5.3).
  int fields_seen = 0;
  int chunked = 0;
  int others = 0;
  bool is_chunked_last = false;
  bool is_plain = false;
  for (const Field& field : fields) {
    if (field.id != FieldName::transfer_encoding) continue;
    ++fields_seen;
    std::string_view codings = field.value.in(data_);
    is_plain = equal_ignoring_case(codings, "chunked");
    for_each_element(codings, [&](std::string_view coding) {
      is_chunked_last = equal_ignoring_case(coding, "chunked");
      ++(is_chunked_last ? chunked : others);
      return true;
    });
  }
  if (fields_seen == 1 && is_plain) return kComplete;
  bool is_final = is_chunked_last && chunked == 1 && others > 0;
  return refuse(is_final ? HeadError::unknown_transfer_coding : HeadError::chunked_not_final);
}

// The bytes the parser may look at, or nothing when nothing new can be found.
template <class Parse>
ParseResult parse(std::string_view buffer, const HeadLimits& limits, std::size_t already_seen, Parse parse_bytes) {
  std::size_t bytes_max = std::min(limits.head_bytes_max, kBytesMax);
  std::string_view head = buffer.substr(0, bytes_max);
  bool is_full = buffer.size() >= bytes_max;
  ParseResult result = kIncomplete;
  if (already_seen == 0 || head.substr(std::min(already_seen, head.size())).find('\n') != std::string_view::npos) {
    result = parse_bytes(head);
  }
  if (result.status == ParseStatus::incomplete && is_full) return refuse(HeadError::head_too_large);
  return result;
}

}  // namespace

ParseResult parse_request_head(std::string_view buffer, const HeadLimits& limits, RequestHead& out,
                               std::size_t already_seen) {
  return parse(buffer, limits, already_seen, [&](std::string_view head) {
    return HeadParser(head.data(), head.size(), limits).request(limits, out);
  });
}

ParseResult parse_response_head(std::string_view buffer, const HeadLimits& limits, ResponseHead& out,
                                std::size_t already_seen) {
  return parse(buffer, limits, already_seen,
               [&](std::string_view head) { return HeadParser(head.data(), head.size(), limits).response(out); });
}

const char* to_string(HeadError error) {
  switch (error) {
    case HeadError::bad_method:
      return "bad_method";
    case HeadError::bad_target:
      return "bad_target";
    case HeadError::target_too_long:
      return "target_too_long";
    case HeadError::bad_version:
      return "bad_version";
    case HeadError::unsupported_version:
      return "unsupported_version";
    case HeadError::bad_status_line:
      return "bad_status_line";
    case HeadError::bare_cr:
      return "bare_cr";
    case HeadError::bare_lf:
      return "bare_lf";
    case HeadError::obsolete_fold:
      return "obsolete_fold";
    case HeadError::empty_field_name:
      return "empty_field_name";
    case HeadError::bad_field_name:
      return "bad_field_name";
    case HeadError::space_before_colon:
      return "space_before_colon";
    case HeadError::bad_field_value:
      return "bad_field_value";
    case HeadError::too_many_fields:
      return "too_many_fields";
    case HeadError::head_too_large:
      return "head_too_large";
    case HeadError::missing_host:
      return "missing_host";
    case HeadError::repeated_host:
      return "repeated_host";
    case HeadError::bad_host:
      return "bad_host";
    case HeadError::bad_content_length:
      return "bad_content_length";
    case HeadError::repeated_content_length:
      return "repeated_content_length";
    case HeadError::content_length_with_transfer_encoding:
      return "content_length_with_transfer_encoding";
    case HeadError::transfer_encoding_in_http10:
      return "transfer_encoding_in_http10";
    case HeadError::unknown_transfer_coding:
      return "unknown_transfer_coding";
    case HeadError::chunked_not_final:
      return "chunked_not_final";
    case HeadError::bad_connection:
      return "bad_connection";
    case HeadError::too_many_connection_options:
      return "too_many_connection_options";
  }
  return "unknown";
}

int status_for(HeadError error) {
  switch (error) {
    case HeadError::target_too_long:
      return 414;
    case HeadError::too_many_fields:
    case HeadError::head_too_large:
      return 431;
    case HeadError::unknown_transfer_coding:
      return 501;
    case HeadError::unsupported_version:
      return 505;
    default:
      return 400;
  }
}

}  // namespace vipair::http
