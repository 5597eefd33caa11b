#include "proxy/http/compression.h"

#include <algorithm>
#include <iterator>

#include "proxy/http/chars.h"

namespace vipair::http {

namespace {

constexpr int kFullWeight = 1000;

// RFC 9110 section 12.4.2, in thousandths; a weight that cannot be read counts as 0: that coding was not asked for.
int weight_of(std::string_view parameters) {
  int weight = kFullWeight;
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trim_blanks(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    if (parameter.size() < 3 || to_lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    const std::string_view value = parameter.substr(2);
    if (value.size() > 5 || (value[0] != '0' && value[0] != '1') || (value.size() > 1 && value[1] != '.')) return 0;
    weight = (value[0] - '0') * kFullWeight;
    int unit = kFullWeight / 10;
    for (const char digit : value.substr(std::min<std::size_t>(2, value.size()))) {
      if (!is_digit(digit)) return 0;
      weight += (digit - '0') * unit;
      unit /= 10;
    }
    if (weight > kFullWeight) return 0;
  }
  return weight;
}

bool type_matches(std::string_view type, std::string_view pattern) {
  if (pattern.size() > 2 && pattern.substr(pattern.size() - 2) == "/*") {
    const std::string_view prefix = pattern.substr(0, pattern.size() - 1);
    return type.size() > prefix.size() && equal_ignoring_case(type.substr(0, prefix.size()), prefix);
  }
  return equal_ignoring_case(type, pattern);
}

// RFC 9111 sections 5.2.1.6 and 5.2.2.6.
bool forbids_transformation(const FieldTable& fields, const char* buffer) {
  if (!fields.has(FieldName::cache_control)) return false;
  for (const Field& field : fields) {
    if (field.id != FieldName::cache_control) continue;
    const bool allows = for_each_element(field.value.in(buffer), [](std::string_view element) {
      return !equal_ignoring_case(element, "no-transform");
    });
    if (!allows) return true;
  }
  return false;
}

constexpr std::string_view kDigests[] = {"content-digest", "repr-digest", "digest", "content-md5"};
// A checksum that the server made of the bytes as they are (RFC 9530, RFC 3230, RFC 2616 section 14.15).
bool has_digest(const FieldTable& fields, const char* buffer) {
  return std::any_of(fields.begin(), fields.end(), [buffer](const Field& field) {
    if (field.id != FieldName::other) return false;
    const std::string_view name = field.name.in(buffer);
    return std::any_of(std::begin(kDigests), std::end(kDigests),
                       [name](std::string_view digest) { return equal_ignoring_case(name, digest); });
  });
}

// What a client says of the codings that we know; -1: nothing.
struct Wishes {
  int gzip = -1, brotli = -1, others = 0;

  void read(std::string_view accept_encoding) {
    (void)for_each_element(accept_encoding, [this](std::string_view element) {
      const std::size_t end = std::min(element.find(';'), element.size());
      const std::string_view name = trim_blanks(element.substr(0, end));
      const int weight = weight_of(element.substr(end));
      if (equal_ignoring_case(name, "gzip") || equal_ignoring_case(name, "x-gzip")) {
        gzip = weight;
      } else if (equal_ignoring_case(name, "br")) {
        brotli = weight;
      } else if (name == "*") {
        others = weight;
      }
      return true;
    });
  }
};

}  // namespace

const char* to_string(Coding coding) {
  switch (coding) {
    case Coding::identity:
      return "identity";
    case Coding::gzip:
      return "gzip";
    case Coding::brotli:
      return "br";
  }
  return "unknown";
}

Coding preferred_coding(const RequestHead& head, const char* buffer, CodingsOffered offered) {
  if (!head.fields.has(FieldName::accept_encoding) || forbids_transformation(head.fields, buffer))
    return Coding::identity;
  Wishes wishes;
  for (const Field& field : head.fields) {
    if (field.id == FieldName::accept_encoding) wishes.read(field.value.in(buffer));
  }
  const int gzip = !offered.gzip ? 0 : wishes.gzip < 0 ? wishes.others : wishes.gzip;
  const int brotli = !offered.brotli ? 0 : wishes.brotli < 0 ? wishes.others : wishes.brotli;
  if (brotli > 0 && brotli >= gzip) return Coding::brotli;
  return gzip > 0 ? Coding::gzip : Coding::identity;
}

bool is_compressible(const ResponseHead& head, const char* buffer, const CompressionRules& rules) {
  // A body that is whole: 206 is a part of one, 204 and 304 have none.
  if (head.status < 200 || head.status == 204 || head.status == 206 || head.status == 304) return false;
  const FieldTable& fields = head.fields;
  if (fields.has(FieldName::content_encoding) || fields.has(FieldName::content_range)) return false;
  if (fields.has(FieldName::content_length) && head.content_length < std::max<std::uint64_t>(rules.length_min, 1))
    return false;
  const Field* type = fields.find(FieldName::content_type);
  if (type == nullptr) return false;
  const std::string_view value = type->value.in(buffer);
  const std::string_view media_type = trim_blanks(value.substr(0, value.find(';')));
  const bool is_wanted = std::any_of(rules.types.begin(), rules.types.end(),
                                     [&](const std::string& pattern) { return type_matches(media_type, pattern); });
  return is_wanted && !forbids_transformation(fields, buffer) && !has_digest(fields, buffer);
}

bool confirms_a_coded_response(const RequestHead& request, const char* request_buffer, const ResponseHead& response,
                               const char* response_buffer) {
  if (response.status != 304) return false;
  const Field* etag = response.fields.find(FieldName::etag);
  if (etag == nullptr) return false;
  const std::string_view strong = etag->value.in(response_buffer);
  if (strong.substr(0, 1) != "\"") return false;
  for (const Field& field : request.fields) {
    if (field.id != FieldName::other || !equal_ignoring_case(field.name.in(request_buffer), "if-none-match"))
      continue;
    const bool is_absent = for_each_element(field.value.in(request_buffer), [strong](std::string_view tag) {
      return tag.substr(0, 2) != "W/" || tag.substr(2) != strong;
    });
    if (!is_absent) return true;
  }
  return false;
}

}  // namespace vipair::http
