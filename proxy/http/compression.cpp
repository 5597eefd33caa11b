#include "proxy/http/compression.h"

#include <algorithm>

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

bool forbids_transformation(const ResponseHead& head, const char* buffer) {
  if (!head.fields.has(FieldName::cache_control)) return false;
  for (const Field& field : head.fields) {
    if (field.id != FieldName::cache_control) continue;
    const bool allows = for_each_element(field.value.in(buffer), [](std::string_view element) {
      return !equal_ignoring_case(element, "no-transform");
    });
    if (!allows) return true;
  }
  return false;
}

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

Coding preferred_coding(std::string_view accept_encoding, CodingsOffered offered) {
  int gzip = -1, brotli = -1, others = 0;
  (void)for_each_element(accept_encoding, [&](std::string_view element) {
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
  gzip = !offered.gzip ? 0 : gzip < 0 ? others : gzip;
  brotli = !offered.brotli ? 0 : brotli < 0 ? others : brotli;
  if (brotli > 0 && brotli >= gzip) return Coding::brotli;
  return gzip > 0 ? Coding::gzip : Coding::identity;
}

bool is_compressible(const ResponseHead& head, const char* buffer, const CompressionRules& rules) {
  // A body that is whole: 206 is a part of one, 204 and 304 have none.
  if (head.status < 200 || head.status == 204 || head.status == 206 || head.status == 304) return false;
  const FieldTable& fields = head.fields;
  if (fields.has(FieldName::content_encoding) || fields.has(FieldName::content_range)) return false;
  if (fields.has(FieldName::content_length) && head.content_length < rules.length_min) return false;
  const Field* type = fields.find(FieldName::content_type);
  if (type == nullptr) return false;
  const std::string_view value = type->value.in(buffer);
  const std::string_view media_type = trim_blanks(value.substr(0, value.find(';')));
  const bool is_wanted = std::any_of(rules.types.begin(), rules.types.end(),
                                     [&](const std::string& pattern) { return type_matches(media_type, pattern); });
  return is_wanted && !forbids_transformation(head, buffer);
}

}  // namespace vipair::http
