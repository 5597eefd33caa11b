#include "proxy/http/header_rules.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "proxy/http/chars.h"
#include "proxy/http/message.h"

namespace vipair::http {
namespace {

std::string_view value_of(Variable variable, const ExchangeFacts& facts) {
  switch (variable) {
    case Variable::client_address:
      return facts.client_address;
    case Variable::client_port:
      return facts.client_port;
    case Variable::scheme:
      return facts.scheme;
    case Variable::host:
      return facts.host;
    case Variable::method:
      return facts.method;
    case Variable::path:
      return facts.path;
    case Variable::query:
      return facts.query;
    case Variable::node:
      return facts.node;
    case Variable::request_id:
      return facts.request_id;
    case Variable::upstream:
      return facts.upstream;
    case Variable::upstream_address:
      return facts.upstream_address;
    case Variable::peer_address:
      return facts.peer_address.empty() ? facts.client_address : facts.peer_address;
    case Variable::server_port:
      return facts.server_port;
    case Variable::http_version:
      return facts.http_version;
    case Variable::user:
      return facts.user;
    case Variable::tls_version:
      return facts.tls_version;
    case Variable::tls_cipher:
      return facts.tls_cipher;
    case Variable::sni:
      return facts.sni;
    case Variable::tls_client_subject:
      return facts.tls_client_subject;
    case Variable::tls_client_issuer:
      return facts.tls_client_issuer;
    case Variable::tls_client_serial:
      return facts.tls_client_serial;
    case Variable::tls_client_fingerprint:
      return facts.tls_client_fingerprint;
  }
  return {};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, substituted}));
    }
  }
  return row.back();
}

std::string nearest_variable(std::string_view name) {
  std::string nearest;
  std::size_t distance_max = std::max<std::size_t>(2, name.size() / 3);
  if (name.size() > 64) return nearest;
  for (std::size_t i = 0; i < kVariables; ++i) {
    std::string_view known = to_string(static_cast<Variable>(i));
    std::size_t distance = edit_distance(name, known);
    if (distance <= distance_max) {
      nearest = known;
      distance_max = distance == 0 ? 0 : distance - 1;
    }
  }
  return nearest;
}

}  // namespace

const char* to_string(Variable variable) {
  switch (variable) {
    case Variable::client_address:
      return "client_address";
    case Variable::client_port:
      return "client_port";
    case Variable::scheme:
      return "scheme";
    case Variable::host:
      return "host";
    case Variable::method:
      return "method";
    case Variable::path:
      return "path";
    case Variable::query:
      return "query";
    case Variable::node:
      return "node";
    case Variable::request_id:
      return "request_id";
    case Variable::upstream:
      return "upstream";
    case Variable::upstream_address:
      return "upstream_address";
    case Variable::peer_address:
      return "peer_address";
    case Variable::server_port:
      return "server_port";
    case Variable::http_version:
      return "http_version";
    case Variable::user:
      return "user";
    case Variable::tls_version:
      return "tls_version";
    case Variable::tls_cipher:
      return "tls_cipher";
    case Variable::sni:
      return "sni";
    case Variable::tls_client_subject:
      return "tls_client_subject";
    case Variable::tls_client_issuer:
      return "tls_client_issuer";
    case Variable::tls_client_serial:
      return "tls_client_serial";
    case Variable::tls_client_fingerprint:
      return "tls_client_fingerprint";
  }
  return "unknown";
}

std::string to_string(const TemplateError& error) {
  switch (error.kind) {
    case TemplateError::Kind::unknown_variable: {
      std::string text = "there is no variable ${" + error.variable + "}";
      if (!error.nearest.empty()) return text + ", did you mean ${" + error.nearest + "}?";
      text += ", known are";
      for (std::size_t i = 0; i < kVariables; ++i) text += std::string(" ") + to_string(static_cast<Variable>(i));
      return text;
    }
    case TemplateError::Kind::unclosed_brace:
      return "\"${\" without its \"}\"";
    case TemplateError::Kind::lonely_dollar:
      return "a \"$\" that starts no ${variable}: write \"$$\" for a dollar sign";
    case TemplateError::Kind::bad_character:
      return "a field's value cannot hold line ends or other control characters";
    case TemplateError::Kind::no_captures:
      return "${1} to ${9} are the groups of a route's regular expression: only its redirect and rewrite know them";
  }
  return "unknown";
}

Expected<Template, TemplateError> Template::compile(std::string_view text, Captures captures) {
  if (std::any_of(text.begin(), text.end(), is_control)) {
    return Unexpected{TemplateError{TemplateError::Kind::bad_character, {}, {}}};
  }
  Template result;
  Part part;
  while (!text.empty()) {
    auto dollar = std::min(text.find('$'), text.size());
    part.text += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.empty()) break;
    if (text.substr(0, 2) == "$$") {
      part.text += '$';
      text.remove_prefix(2);
      continue;
    }
    if (text.substr(0, 2) != "${") return Unexpected{TemplateError{TemplateError::Kind::lonely_dollar, {}, {}}};
    auto close = text.find('}');
    if (close == std::string_view::npos) {
      return Unexpected{TemplateError{TemplateError::Kind::unclosed_brace, {}, {}}};
    }
    std::string_view name = text.substr(2, close - 2);
    if (name.size() == 1 && name[0] >= '1' && name[0] <= '9') {
      if (captures == Captures::refused) return Unexpected{TemplateError{TemplateError::Kind::no_captures, {}, {}}};
      part.capture = static_cast<std::uint8_t>(name[0] - '0');
      result.parts_.push_back(std::exchange(part, {}));
      text.remove_prefix(close + 1);
      continue;
    }
    std::size_t variable = 0;
    while (variable < kVariables && name != to_string(static_cast<Variable>(variable))) ++variable;
    if (variable == kVariables) {
      return Unexpected{
          TemplateError{TemplateError::Kind::unknown_variable, std::string(name), nearest_variable(name)}};
    }
    part.has_variable = true;
    part.variable = static_cast<Variable>(variable);
    result.parts_.push_back(std::exchange(part, {}));
    text.remove_prefix(close + 1);
  }
  if (!part.text.empty()) result.parts_.push_back(std::move(part));
  return result;
}

void Template::expand(const ExchangeFacts& facts, Buffer& out) const {
  for (const Part& part : parts_) {
    out.append(part.text);
    if (part.has_variable) out.append(value_of(part.variable, facts));
    if (part.capture != 0 && part.capture < facts.captures.size()) out.append(facts.captures[part.capture]);
  }
}

std::size_t Template::highest_capture() const {
  std::size_t highest = 0;
  for (const Part& part : parts_) highest = std::max<std::size_t>(highest, part.capture);
  return highest;
}

bool HeaderRules::may_be_changed(std::string_view name) {
  switch (field_name_from(name)) {
    case FieldName::connection:
    case FieldName::content_length:
    case FieldName::transfer_encoding:
    case FieldName::expect:
    case FieldName::upgrade:
    case FieldName::te:
    case FieldName::trailer:
    case FieldName::keep_alive:
    case FieldName::proxy_connection:
      return false;
    default:
      return is_token(name);
  }
}

void HeaderRules::remove(std::string_view name) {
  VIPAIR_ASSERT(may_be_changed(name), "the configuration was checked");
  removed_.emplace_back(name);
  removed_filter_ |= std::uint64_t{1} << filter_bit(name);
}

void HeaderRules::set(std::string_view name, Template value) {
  remove(name);
  add(name, std::move(value));
}

void HeaderRules::add(std::string_view name, Template value) {
  VIPAIR_ASSERT(may_be_changed(name), "the configuration was checked");
  appended_.push_back({std::string(name), std::move(value), false});
}

void HeaderRules::set_over_https(std::string_view name, Template value) {
  set(name, std::move(value));
  appended_.back().is_for_https = true;
}

bool HeaderRules::finds_removed(std::string_view name) const {
  return std::any_of(removed_.begin(), removed_.end(),
                     [name](const std::string& removed) { return equal_ignoring_case(removed, name); });
}

void HeaderRules::append_fields(const ExchangeFacts& facts, Buffer& out) const {
  for (const Appended& field : appended_) {
    if (field.is_for_https && facts.scheme != "https") continue;
    std::size_t begin = out.size();
    out.append(field.name);
    out.append(": ");
    std::size_t value = out.size();
    field.value.expand(facts, out);
    if (out.size() == value) {
      out.shrink(begin);
    } else {
      out.append("\r\n");
    }
  }
}

}  // namespace vipair::http
