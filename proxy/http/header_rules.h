#pragma once
// Header rules, compiled once per configuration: "set X-Real-IP to ${client_address}". Values are templates: text
// with
// ${variables}, "$$" for a dollar sign. What the text says cannot change while requests run, so expansion only
// copies.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "proxy/http/buffer.h"
#include "proxy/http/exchange_facts.h"

namespace vipair::http {

enum class Variable : std::uint8_t {
  client_address,
  client_port,
  scheme,
  host,
  method,
  path,
  query,
  node,
  request_id,
  upstream,
  upstream_address,
  peer_address,
  server_port,
  http_version,
  user,
  tls_version,
  tls_cipher,
  sni,
  tls_client_subject,
  tls_client_issuer,
  tls_client_serial,
  tls_client_fingerprint,
};
inline constexpr std::size_t kVariables = static_cast<std::size_t>(Variable::tls_client_fingerprint) + 1;
const char* to_string(Variable variable);  // "client_address"

struct TemplateError {
  enum class Kind : std::uint8_t { unknown_variable, unclosed_brace, lonely_dollar, bad_character, no_captures };
  Kind kind{};
  std::string variable;  // the name that nobody knows
  std::string nearest;   // a known name that resembles it, or empty
};
std::string to_string(const TemplateError& error);  // one line for the operator

class Template {
 public:
  // ${1} to ${9}: what the groups of a route's regular expression took. Only where there can be one.
  enum class Captures : std::uint8_t { refused, allowed };
  static Expected<Template, TemplateError> compile(std::string_view text, Captures captures = Captures::refused);
  std::size_t highest_capture() const;  // 0: none
  void expand(const ExchangeFacts& facts, Buffer& out) const;

 private:
  struct Part {
    std::string text;  // copied first
    bool has_variable = false;
    Variable variable{};
    std::uint8_t capture = 0;  // 1 to 9
  };
  std::vector<Part> parts_;
};

// The rules of one direction of one route, outer levels first. Names are compared without case. Fields that frame a
// message or belong to one connection cannot be changed (may_be_changed()).
class HeaderRules {
 public:
  static bool may_be_changed(std::string_view name);

  // In this order for every message: fields named by remove() or set() go, then set and added fields are appended
  // in the order given here. A value that expands to nothing is not sent.
  void remove(std::string_view name);
  void set(std::string_view name, Template value);
  void add(std::string_view name, Template value);
  void set_over_https(std::string_view name, Template value);  // in the clear it is only removed

  bool empty() const { return removed_.empty() && appended_.empty(); }
  bool removes(std::string_view name) const {
    return (removed_filter_ >> filter_bit(name) & 1) != 0 && finds_removed(name);
  }
  void append_fields(const ExchangeFacts& facts, Buffer& out) const;

 private:
  struct Appended {
    std::string name;
    Template value;
    bool is_for_https = false;
  };
  static unsigned filter_bit(std::string_view name) { return static_cast<unsigned>(name.size()) % 64; }
  bool finds_removed(std::string_view name) const;

  std::vector<std::string> removed_;
  std::vector<Appended> appended_;
  std::uint64_t removed_filter_ = 0;  // a bit per length of a removed name: most fields are passed by one test
};

}  // namespace vipair::http
