#pragma once
// What a route wants of a request beyond its path: methods, header fields, parameters of the query. Compiled once,
// immutable.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config_route.h"
#include "proxy/http/message.h"
#include "proxy/regex.h"

namespace vipair::proxy {

class Conditions {
 public:
  enum class Verdict : std::uint8_t { holds, fails, given_up };  // given up: a regular expression takes too long

  Conditions() = default;
  explicit Conditions(const Route& route);

  // A route that takes GET takes HEAD too.
  bool takes_method(http::Method method, std::string_view name) const;
  Verdict check(const http::RequestHead& head, const char* buffer, std::string_view query) const;
  const std::string& methods() const { return methods_text_; }  // "GET, HEAD"; empty: all

 private:
  struct Test {
    Condition condition;
    std::vector<Regex> regex;  // one for Condition::Test::regex
    Verdict check(std::string_view value) const;
  };
  static std::vector<Test> compile(const std::vector<Condition>& conditions);

  std::uint16_t methods_ = 0;  // bit per http::Method; 0 and no others: all
  std::vector<std::string> other_methods_;
  std::string methods_text_;
  std::vector<Test> fields_, parameters_;
};

}  // namespace vipair::proxy
