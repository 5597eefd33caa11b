#include "proxy/server/conditions.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "proxy/http/chars.h"

namespace vipair::proxy {

namespace {
constexpr std::uint16_t bit(http::Method method) {
  return static_cast<std::uint16_t>(1u << static_cast<unsigned>(method));
}

// Calls visit(name, value) for each parameter of "?a=b&c" as it was sent, until it says false.
template <class Visit>
void for_each_parameter(std::string_view query, Visit visit) {
  if (!query.empty()) query.remove_prefix(1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    if (!visit(parameter.substr(0, equals), parameter.substr(std::min(equals + 1, parameter.size())))) return;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
}
}  // namespace

Conditions::Conditions(const Route& route) : fields_(compile(route.headers)), parameters_(compile(route.query)) {
  auto name = [this](std::string_view method) {
    if (!methods_text_.empty()) methods_text_ += ", ";
    methods_text_ += method;
  };
  for (const std::string& text : route.methods) {
    const http::Method method = http::method_from(text);
    if (method == http::Method::other) {
      other_methods_.push_back(text);
      name(text);
    } else if ((methods_ & bit(method)) == 0) {
      methods_ |= bit(method);
      name(text);
    }
  }
  if ((methods_ & bit(http::Method::get)) != 0 && (methods_ & bit(http::Method::head)) == 0) {
    methods_ |= bit(http::Method::head);
    name("HEAD");
  }
}

std::vector<Conditions::Test> Conditions::compile(const std::vector<Condition>& conditions) {
  std::vector<Test> tests;
  for (const Condition& condition : conditions) {
    Test& test = tests.emplace_back();
    test.condition = condition;
    if (condition.test != Condition::Test::regex) continue;
    auto regex = Regex::compile(condition.value);
    VIPAIR_ASSERT(regex.has_value(), "patterns are checked when the configuration is loaded");
    test.regex.push_back(std::move(regex).value());
  }
  return tests;
}

bool Conditions::takes_method(http::Method method, std::string_view name) const {
  if (methods_text_.empty()) return true;
  if (method != http::Method::other) return (methods_ & bit(method)) != 0;
  return std::find(other_methods_.begin(), other_methods_.end(), name) != other_methods_.end();
}

Conditions::Verdict Conditions::Test::check(std::string_view value) const {
  auto verdict = [](bool holds) { return holds ? Verdict::holds : Verdict::fails; };
  switch (condition.test) {
    case Condition::Test::present:
    case Condition::Test::absent:  // whoever asks turns it round
      return Verdict::holds;
    case Condition::Test::equals:
      return verdict(value == condition.value);
    case Condition::Test::prefix:
      return verdict(value.substr(0, condition.value.size()) == condition.value);
    case Condition::Test::regex:
      switch (regex.front().match(value)) {
        case Regex::Result::match:
          return Verdict::holds;
        case Regex::Result::no_match:
          return Verdict::fails;
        case Regex::Result::given_up:
          return Verdict::given_up;
      }
  }
  return Verdict::fails;
}

Conditions::Verdict Conditions::check(const http::RequestHead& head, const char* buffer,
                                      std::string_view query) const {
  // Of several fields or parameters with this name one is enough.
  auto settle = [](const Test& test, Verdict found) {
    if (test.condition.test != Condition::Test::absent) return found;
    return found == Verdict::holds ? Verdict::fails : Verdict::holds;
  };
  for (const Test& test : fields_) {
    Verdict found = Verdict::fails;
    for (const http::Field& field : head.fields) {
      if (!http::equal_ignoring_case(field.name.in(buffer), test.condition.name)) continue;
      found = test.check(field.value.in(buffer));
      if (found != Verdict::fails) break;
    }
    if (const Verdict verdict = settle(test, found); verdict != Verdict::holds) return verdict;
  }
  for (const Test& test : parameters_) {
    Verdict found = Verdict::fails;
    for_each_parameter(query, [&](std::string_view name, std::string_view value) {
      if (name == test.condition.name) found = test.check(value);
      return found == Verdict::fails;
    });
    if (const Verdict verdict = settle(test, found); verdict != Verdict::holds) return verdict;
  }
  return Verdict::holds;
}

}  // namespace vipair::proxy
