#include "proxy/http/header_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::http {
namespace {

const ExchangeFacts kFacts{
    .client_address = "203.0.113.7",
    .client_port = "49152",
    .scheme = "https",
    .host = "example.com",
    .method = "GET",
    .path = "/a/b",
    .query = "?c=d",
    .node = "lb-a",
    .request_id = "id-1",
    .upstream = "blog",
    .upstream_address = "10.0.0.7:80",
    .client_is_trusted = false,
};

std::string expand(std::string_view text) {
  auto compiled = Template::compile(text);
  if (!compiled) return to_string(compiled.error());
  Buffer out;
  compiled->expand(kFacts, out);
  return std::string(out.view());
}

Template value(std::string_view text) { return Template::compile(text).value(); }

std::string appended(const HeaderRules& rules) {
  Buffer out;
  rules.append_fields(kFacts, out);
  return std::string(out.view());
}

TEST(Template, FillsInEveryVariable) {
  EXPECT_EQ(expand("${client_address}|${client_port}|${scheme}|${host}|${method}|${path}|${query}|${node}|"
                   "${request_id}|${upstream}|${upstream_address}"),
            "203.0.113.7|49152|https|example.com|GET|/a/b|?c=d|lb-a|id-1|blog|10.0.0.7:80");
  for (std::size_t i = 0; i < kVariables; ++i) {
    auto variable = std::string("${") + to_string(static_cast<Variable>(i)) + "}";
    EXPECT_TRUE(Template::compile(variable)) << variable;
  }
}

TEST(Template, KnowsTheConnection) {
  ExchangeFacts facts = kFacts;
  facts.server_port = "443";
  facts.http_version = "2.0";
  facts.user = "ann";
  facts.tls_version = "TLSv1.3";
  facts.tls_cipher = "TLS_AES_128_GCM_SHA256";
  facts.sni = "www.example.com";
  Buffer out;
  value("${peer_address} ${server_port} ${http_version} ${user} ${tls_version} ${tls_cipher} ${sni}")
      .expand(facts, out);
  EXPECT_EQ(out.view(), "203.0.113.7 443 2.0 ann TLSv1.3 TLS_AES_128_GCM_SHA256 www.example.com");
  facts.tls_client_subject = "CN=ann";
  facts.tls_client_issuer = "CN=ca";
  facts.tls_client_serial = "01";
  facts.tls_client_fingerprint = "ab";
  out.clear();
  value("${tls_client_subject} ${tls_client_issuer} ${tls_client_serial} ${tls_client_fingerprint}")
      .expand(facts, out);
  EXPECT_EQ(out.view(), "CN=ann CN=ca 01 ab");
  facts.peer_address = "10.0.0.1";
  out.clear();
  value("${client_address} ${peer_address}").expand(facts, out);
  EXPECT_EQ(out.view(), "203.0.113.7 10.0.0.1");
}

TEST(Template, FillsInCapturesWhereThereAreSome) {
  auto compiled = Template::compile("/x/${2}/${1}${3}", Template::Captures::allowed);
  ASSERT_TRUE(compiled);
  EXPECT_EQ(compiled->highest_capture(), 3u);
  EXPECT_EQ(value("${node}").highest_capture(), 0u);
  const std::string_view captures[] = {"/a/b", "a", "b"};
  ExchangeFacts facts = kFacts;
  facts.captures = captures;
  Buffer out;
  compiled->expand(facts, out);
  EXPECT_EQ(out.view(), "/x/b/a");
  EXPECT_NE(expand("${1}").find("groups of a route's regular expression"), std::string::npos);
  EXPECT_NE(expand("${10}").find("there is no variable ${10}"), std::string::npos);
  EXPECT_NE(expand("${0}").find("there is no variable ${0}"), std::string::npos);
}

TEST(Template, CopiesAllOtherText) {
  EXPECT_EQ(expand(""), "");
  EXPECT_EQ(expand("plain {text} }"), "plain {text} }");
  EXPECT_EQ(expand("costs $$5, $${node}"), "costs $5, ${node}");
  EXPECT_EQ(expand("a${node}b${node}"), "alb-ablb-a");
  EXPECT_EQ(expand("$$"), "$");
}

TEST(Template, SaysWhatIsWrong) {
  EXPECT_EQ(expand("${client_addres}"), "there is no variable ${client_addres}, did you mean ${client_address}?");
  EXPECT_EQ(expand("${upstream_adress}"),
            "there is no variable ${upstream_adress}, did you mean ${upstream_address}?");
  EXPECT_EQ(expand("${NODE}"),
            "there is no variable ${NODE}, known are client_address client_port scheme host method path query node "
            "request_id upstream upstream_address peer_address server_port http_version user tls_version "
            "tls_cipher sni tls_client_subject tls_client_issuer tls_client_serial tls_client_fingerprint");
  EXPECT_EQ(expand("${}").substr(0, 25), "there is no variable ${},");
  EXPECT_EQ(expand("${node"), "\"${\" without its \"}\"");
  EXPECT_EQ(expand("$node"), "a \"$\" that starts no ${variable}: write \"$$\" for a dollar sign");
  EXPECT_EQ(expand("5$"), "a \"$\" that starts no ${variable}: write \"$$\" for a dollar sign");
  EXPECT_EQ(expand("a\r\nSet-Cookie: b"), "a field's value cannot hold line ends or other control characters");
}

TEST(HeaderRules, AppendInTheirOrder) {
  HeaderRules rules;
  EXPECT_TRUE(rules.empty());
  rules.set("X-Real-IP", value("${client_address}"));
  rules.add("Link", value("a"));
  rules.add("Link", value("b"));
  EXPECT_FALSE(rules.empty());
  EXPECT_EQ(appended(rules), "X-Real-IP: 203.0.113.7\r\nLink: a\r\nLink: b\r\n");
}

TEST(HeaderRules, RemoveWhatIsSetOrRemoved) {
  HeaderRules rules;
  rules.remove("X-Debug");
  rules.set("X-Set", value("a"));
  rules.add("X-Added", value("a"));
  EXPECT_TRUE(rules.removes("x-debug"));
  EXPECT_TRUE(rules.removes("X-SET"));
  EXPECT_FALSE(rules.removes("X-Added"));
  EXPECT_FALSE(rules.removes("X-Debuh"));
  EXPECT_FALSE(rules.removes("X-Debugg"));
}

TEST(HeaderRules, SendNothingForAnEmptyValue) {
  HeaderRules rules;
  rules.set("X-Empty", value(""));
  rules.set("X-Node", value("${node}"));
  EXPECT_EQ(appended(rules), "X-Node: lb-a\r\n");
  EXPECT_TRUE(rules.removes("X-Empty"));
}

TEST(HeaderRules, SetsOverHttpsOnly) {
  HeaderRules rules;
  rules.set_over_https("X-Hsts", value("max-age=1"));
  ExchangeFacts facts;
  for (std::string_view scheme : {"http", "https"}) {
    facts.scheme = scheme;
    Buffer out;
    rules.append_fields(facts, out);
    EXPECT_EQ(out.view(), scheme == "https" ? "X-Hsts: max-age=1\r\n" : "");
  }
  EXPECT_TRUE(rules.removes("x-hsts")) << "what an upstream says of it goes in any case";
}

TEST(HeaderRules, CannotChangeTheFraming) {
  for (std::string_view name : {"Connection", "content-length", "Transfer-Encoding", "TE", "Trailer", "Upgrade",
                                "Keep-Alive", "Proxy-Connection", "Expect", "", "a b", "a:", "a\r\n"}) {
    EXPECT_FALSE(HeaderRules::may_be_changed(name)) << name;
  }
  for (std::string_view name : {"Host", "X-Forwarded-For", "Via", "Date", "Server", "X_Y"}) {
    EXPECT_TRUE(HeaderRules::may_be_changed(name)) << name;
  }
}

}  // namespace
}  // namespace vipair::http
