#include "proxy/http/forwarding.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proxy/http/head_parser.h"
#include "proxy/http/persistence.h"
#include "proxy/http/target.h"

namespace vipair::http {
namespace {

struct Peer {
  std::string_view address = "203.0.113.7";
  bool is_trusted = false;
  std::string_view scheme = "http";
  std::string_view certificate{};
};

Template value(std::string_view text) { return Template::compile(text).value(); }

// What the upstream gets for these bytes of a client; "refused: …" when it gets nothing.
std::string forwarded(std::string bytes, Peer peer = {}, const HeaderRules& rules = {},
                      const RequestChanges& changes = {}) {
  RequestHead head;
  auto parsed = parse_request_head(bytes, {}, head);
  if (parsed.status != ParseStatus::complete) return std::string("refused: ") + to_string(parsed.error);
  Buffer scratch;
  auto target = canonical_target(head, bytes.data(), scratch);
  if (!target) return std::string("refused: ") + to_string(target.error());
  ExchangeFacts facts{
      .client_address = peer.address,
      .client_port = "49152",
      .scheme = peer.scheme,
      .host = head.host.host(),
      .method = head.method_name.in(bytes.data()),
      .path = target->path,
      .query = target->query,
      .node = "lb-a",
      .request_id = request_id_for(head, bytes.data(), peer.is_trusted, "id-1"),
      .upstream = "blog",
      .upstream_address = "10.0.0.7:80",
      .client_certificate = peer.certificate,
      .client_is_trusted = peer.is_trusted,
  };
  Buffer out;
  request_for_upstream(out, head, bytes.data(), facts, rules, changes);
  return std::string(out.view());
}

std::string request(std::string_view lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}

// What is forwarded of these lines of a request, without what is always there.
std::string passing(std::string_view lines, Peer peer = {}, const HeaderRules& rules = {}) {
  std::string text = forwarded(request(lines), peer, rules);
  const std::string before = "GET / HTTP/1.1\r\nHost: a\r\n";
  if (text.rfind(before, 0) != 0) return text;
  text.erase(0, before.size());
  auto own = text.find("X-Forwarded-For: ");
  return text.substr(0, own);
}

// The value of a field of a written head, "-" without one, values joined by "|".
std::string field(const std::string& head, std::string_view name) {
  std::string values;
  for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
    auto end = head.find("\r\n", at);
    if (end == at) break;
    auto line = head.substr(at, end - at);
    if (line.rfind(std::string(name) + ": ", 0) == 0) {
      if (!values.empty()) values += "|";
      values += line.substr(name.size() + 2);
    }
    at = end + 2;
  }
  return values.empty() ? "-" : values;
}

TEST(RequestForUpstream, SendsARewrittenTargetAndNamesThePeerToTheNextHop) {
  const std::string bytes = "GET /old?q HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n";
  RequestHead head;
  ASSERT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
  ExchangeFacts facts;
  facts.client_address = "198.51.100.1";
  facts.peer_address = "10.0.0.1";
  facts.client_is_trusted = true;
  facts.path = "/old";
  facts.query = "?q";
  facts.target = "/new?q";
  Buffer out;
  request_for_upstream(out, head, bytes.data(), facts, {});
  EXPECT_EQ(out.view().substr(0, 24), "GET /new?q HTTP/1.1\r\nHos");
  EXPECT_NE(out.view().find("X-Forwarded-For: 198.51.100.1, 10.0.0.1\r\n"), std::string::npos);
  EXPECT_NE(out.view().find("for=10.0.0.1;"), std::string::npos);
}

TEST(RequestForUpstream, LeavesOurOwnCookieOut) {
  auto cookies = [](std::string_view lines, const HeaderRules& rules = {}) {
    return field(forwarded(request(lines), {}, rules, {.own_cookie = "app"}), "Cookie");
  };
  EXPECT_EQ(cookies("Cookie: a=1; app=x; b=2\r\n"), "a=1; b=2");
  EXPECT_EQ(cookies("Cookie: app=x\r\n"), "-");
  EXPECT_EQ(cookies("Cookie: app=x\r\nX: y\r\ncookie: app2=z\r\n"), "app2=z");
  EXPECT_EQ(cookies("X: y\r\n"), "-");
  HeaderRules rules;
  rules.remove("Cookie");
  EXPECT_EQ(cookies("Cookie: a=1; app=x\r\n", rules), "-") << "a rule has the last word";
}

TEST(RequestForUpstream, IsWrittenAnew) {
  EXPECT_EQ(forwarded("GET /a/%7eb?c HTTP/1.1\r\nHost: Example.com:8080\r\nUser-Agent: x\r\nAccept:*/*\r\n"
                      "X-Tab:\t y \t\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n"),
            "GET /a/~b?c HTTP/1.1\r\n"
            "Host: Example.com:8080\r\n"
            "User-Agent: x\r\n"
            "Accept: */*\r\n"
            "X-Tab: y\r\n"
            "Cookie: a=b\r\n"
            "X-Forwarded-For: 203.0.113.7\r\n"
            "X-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: Example.com:8080\r\n"
            "Forwarded: for=203.0.113.7;host=\"Example.com:8080\";proto=http\r\n"
            "X-Request-ID: id-1\r\n"
            "Via: 1.1 lb-a\r\n"
            "\r\n");
}

TEST(RequestForUpstream, CarriesTheFramingThatWasUnderstood) {
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  auto counted = forwarded(post + "Content-Length: 0042\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(field(counted, "Content-Length"), "42");
  EXPECT_EQ(field(counted, "Transfer-Encoding"), "-");
  EXPECT_EQ(field(counted, "Trailer"), "-") << "only chunked bodies have trailers";
  auto chunked = forwarded(post + "transfer-encoding:  CHUNKED\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(field(chunked, "Transfer-Encoding"), "chunked");
  EXPECT_EQ(field(chunked, "Content-Length"), "-");
  EXPECT_EQ(field(chunked, "Trailer"), "x");
  auto empty = forwarded(post + "Content-Length: 0\r\n\r\n");
  EXPECT_EQ(field(empty, "Content-Length"), "0");
}

// RFC 9110 section 7.6.1.
TEST(RequestForUpstream, DropsTheFieldsOfTheConnection) {
  EXPECT_EQ(
      passing("Connection: close\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nUpgrade: websocket\r\n"
              "TE: gzip\r\nProxy-Authorization: Basic x\r\nA: b\r\n"),
      "A: b\r\n");
  EXPECT_EQ(passing("A: 1\r\nConnection: b, C\r\nB: 2\r\nc: 3\r\nD: 4\r\n"), "A: 1\r\nD: 4\r\n");
  EXPECT_EQ(passing("Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"), "HTTP2-Settings: x\r\n");
}

// W3C Trace Context: whoever takes no part in a trace passes both fields on as they are.
TEST(RequestForUpstream, PassesTheContextOfATraceOn) {
  const std::string context =
      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
      "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE\r\ntracestate: vendor=1\r\nbaggage: a=b\r\n";
  EXPECT_EQ(passing(context), context);
}

TEST(RequestForUpstream, LetsNobodyNameProtectedFieldsAway) {
  auto head =
      forwarded(request("Connection: X-Forwarded-For, X-Forwarded-Port, Forwarded, Via, X-Real-IP, Host, "
                        "Cookie, Authorization, Content-Length, X-Request-ID, Content-Type\r\n"
                        "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Port: 443\r\nForwarded: for=198.51.100.1\r\n"
                        "Via: 1.1 x\r\nX-Real-IP: 198.51.100.1\r\nCookie: a=b\r\nAuthorization: Basic x\r\n"
                        "Content-Length: 5\r\nX-Request-ID: id-2\r\nContent-Type: a/b\r\n"),
                {.is_trusted = true});
  EXPECT_EQ(field(head, "X-Forwarded-For"), "198.51.100.1, 203.0.113.7");
  EXPECT_EQ(field(head, "X-Forwarded-Port"), "443");
  EXPECT_EQ(field(head, "Forwarded"), "for=198.51.100.1, for=203.0.113.7;host=a;proto=http");
  EXPECT_EQ(field(head, "Via"), "1.1 x|1.1 lb-a");
  EXPECT_EQ(field(head, "X-Real-IP"), "198.51.100.1");
  EXPECT_EQ(field(head, "Host"), "a");
  EXPECT_EQ(field(head, "Cookie"), "a=b");
  EXPECT_EQ(field(head, "Authorization"), "Basic x");
  EXPECT_EQ(field(head, "Content-Length"), "5");
  EXPECT_EQ(field(head, "X-Request-ID"), "id-2");
  EXPECT_EQ(field(head, "Content-Type"), "a/b");
}

TEST(RequestForUpstream, TellsOfTheClientsCertificate) {
  const std::string_view forged = "Client-Cert: :Zm9v:\r\nClient-Cert-Chain: :Zm9v:\r\nClient_Cert: :Zm9v:\r\n";
  EXPECT_EQ(passing(forged), "");
  const std::string own = forwarded(request(forged), {.certificate = ":YmFy:"});
  EXPECT_EQ(field(own, "Client-Cert"), ":YmFy:");
  EXPECT_EQ(field(own, "Client-Cert-Chain"), "-");
  const std::string trusted = forwarded(request(forged), {.is_trusted = true});
  EXPECT_EQ(field(trusted, "Client-Cert"), ":Zm9v:") << "a trusted proxy has seen it";
  const std::string both = forwarded(request(forged), {.is_trusted = true, .certificate = ":YmFy:"});
  EXPECT_EQ(field(both, "Client-Cert"), ":YmFy:");
}

TEST(RequestForUpstream, BelievesNothingFromStrangers) {
  auto head =
      forwarded(request("X-Forwarded-For: 127.0.0.1\r\nx-forwarded-for: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
                        "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /admin\r\n"
                        "Forwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Request-ID: mine\r\n"
                        "X_Forwarded_For: 127.0.0.1\r\nX-Forwarded_For: 127.0.0.1\r\nX_Real_IP: 127.0.0.1\r\n"
                        "Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX_Forwarded-Port: 1\r\nMy_Own: x\r\n"));
  EXPECT_EQ(head,
            "GET / HTTP/1.1\r\nHost: a\r\nMy_Own: x\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: a\r\nForwarded: for=203.0.113.7;host=a;proto=http\r\nX-Request-ID: id-1\r\n"
            "Via: 1.1 lb-a\r\n\r\n");
}

TEST(RequestForUpstream, ExtendsWhatTrustedProxiesSay) {
  auto head =
      forwarded(request("X-Forwarded-For: 198.51.100.1, 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n"
                        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: example.com\r\nX-Forwarded-Port: 443\r\n"
                        "Forwarded: for=\"[2001:db8::1]\"\r\nX_Forwarded_For: 127.0.0.1\r\n"
                        "X-Request-ID: theirs\r\nVia: 1.0 x, 1.1 y\r\n"),
                {.is_trusted = true});
  EXPECT_EQ(field(head, "X-Forwarded-For"), "198.51.100.1, 10.0.0.1, 10.0.0.2, 203.0.113.7");
  EXPECT_EQ(field(head, "X-Forwarded-Proto"), "https");
  EXPECT_EQ(field(head, "X-Forwarded-Host"), "example.com");
  EXPECT_EQ(field(head, "X-Forwarded-Port"), "443");
  EXPECT_EQ(field(head, "Forwarded"), "for=\"[2001:db8::1]\", for=203.0.113.7;host=a;proto=http");
  EXPECT_EQ(field(head, "X-Request-ID"), "theirs");
  EXPECT_EQ(field(head, "Via"), "1.0 x, 1.1 y|1.1 lb-a");
  EXPECT_EQ(head.find("X_Forwarded"), std::string::npos);
}

// RFC 7239 section 6: an IPv6 address stands in brackets and quotes.
TEST(RequestForUpstream, QuotesWhatForwardedNeedsQuoted) {
  auto head = forwarded("GET / HTTP/1.1\r\nHost: [2001:db8::9]:80\r\n\r\n",
                        {.address = "2001:db8::7", .is_trusted = false, .scheme = "https"});
  EXPECT_EQ(field(head, "Forwarded"), "for=\"[2001:db8::7]\";host=\"[2001:db8::9]:80\";proto=https");
  EXPECT_EQ(field(head, "X-Forwarded-For"), "2001:db8::7");
  EXPECT_EQ(field(head, "X-Forwarded-Proto"), "https");
}

TEST(RequestForUpstream, HasOneHost) {
  auto absolute = forwarded("GET http://b:81/c HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(absolute.substr(0, absolute.find("X-")), "GET /c HTTP/1.1\r\nHost: b:81\r\n")
      << "RFC 9112 section 3.2.2";
  EXPECT_EQ(field(absolute, "X-Forwarded-Host"), "b:81");
  auto old = forwarded("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(field(old, "Host"), "10.0.0.7:80");
  EXPECT_EQ(field(old, "X-Forwarded-Host"), "-") << "it did not say";
  EXPECT_EQ(field(old, "Forwarded"), "for=203.0.113.7;proto=http");
  EXPECT_EQ(field(old, "Via"), "1.0 lb-a");
}

TEST(RequestForUpstream, ForwardsExpect) {
  EXPECT_EQ(passing("Expect: 100-continue\r\n"), "Expect: 100-continue\r\n");
  EXPECT_EQ(forwarded("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").find("Expect"),
            std::string::npos)
      << "RFC 9110 section 10.1.1: ignored from HTTP/1.0";
}

TEST(RequestForUpstream, RepeatsTeTrailersForTheNextHop) {
  EXPECT_EQ(passing("TE: gzip, Trailers\r\nConnection: TE\r\n"), "Connection: TE\r\nTE: trailers\r\n");
  EXPECT_EQ(passing("TE: deflate\r\nConnection: TE\r\n"), "");
}

TEST(HasGoneRound, CountsHowOftenViaNamesThisNode) {
  auto gone_round = [](const std::string& fields, std::string_view node) {
    const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    RequestHead head;
    EXPECT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
    return has_gone_round(head, bytes.data(), node);
  };
  std::string once_less, others;
  for (int i = 1; i < kTimesRoundMax; ++i)
    once_less += i % 2 == 0 ? "Via: 1.0 x, 1.1 lb-a\r\n" : "Via: 1.1 lb-a (b)\r\n";
  for (int i = 0; i < 2 * kTimesRoundMax; ++i) others += "Via: 1.1 lb-aa, lb-a, 1.1 x lb-a,1.1\r\n";
  EXPECT_FALSE(gone_round("", "lb-a"));
  EXPECT_FALSE(gone_round(once_less, "lb-a"));
  EXPECT_TRUE(gone_round(once_less + "Via: HTTP/1.1  lb-a\r\n", "lb-a"));
  EXPECT_FALSE(gone_round(others, "lb-a"));
  EXPECT_FALSE(gone_round(others, "")) << "a node without a name is nobody";
}

TEST(RequestForUpstream, CountsMaxForwardsDown) {
  auto options = [](std::string_view forwards) {
    return "OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: " + std::string(forwards) + "\r\n\r\n";
  };
  EXPECT_EQ(field(forwarded(options("5")), "Max-Forwards"), "4");
  EXPECT_EQ(field(forwarded(options("99999999999999999999")), "Max-Forwards"), "999999");
  EXPECT_EQ(passing("Max-Forwards: 5\r\n"), "Max-Forwards: 5\r\n") << "only TRACE and OPTIONS count";
  for (const auto& [forwards, exhausted] :
       {std::pair("0", true), {"1", false}, {"00", true}, {"x", false}, {"", false}}) {
    std::string bytes = options(forwards);
    RequestHead head;
    ASSERT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
    EXPECT_EQ(max_forwards_exhausted(head, bytes.data()), exhausted) << forwards;
  }
}

TEST(RequestForUpstream, ObeysTheRules) {
  HeaderRules rules;
  rules.remove("X-Debug");
  rules.set("X-Real-IP", value("${client_address}"));
  rules.set("Host", value("inner.example"));
  rules.set("X-Forwarded-Proto", value("https"));
  rules.remove("Via");
  rules.remove("Forwarded");
  rules.add("X-Trace", value("${node}/${request_id}"));
  auto head = forwarded(request("X-Debug: 1\r\nx-debug: 2\r\nX-Keep: 3\r\nX-Real-IP: 127.0.0.1\r\nVia: 1.1 x\r\n"),
                        {}, rules);
  EXPECT_EQ(
      head,
      "GET / HTTP/1.1\r\nX-Keep: 3\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Host: a\r\nX-Request-ID: id-1\r\n"
      "X-Real-IP: 203.0.113.7\r\nHost: inner.example\r\nX-Forwarded-Proto: https\r\nX-Trace: lb-a/id-1\r\n\r\n");
}

TEST(RequestIdFor, TakesOnlyWhatATrustedClientSaysClearly) {
  auto chosen = [](std::string_view sent, bool trusted) {
    std::string bytes = request("X-Request-ID: " + std::string(sent) + "\r\n");
    RequestHead head;
    EXPECT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
    return std::string(request_id_for(head, bytes.data(), trusted, "ours"));
  };
  EXPECT_EQ(chosen("theirs", true), "theirs");
  EXPECT_EQ(chosen("theirs", false), "ours");
  EXPECT_EQ(chosen("", true), "ours");
  EXPECT_EQ(chosen("a b", true), "ours");
  EXPECT_EQ(chosen("\xc3\xa4", true), "ours");
  EXPECT_EQ(chosen(std::string(kRequestIdMax, 'a'), true), std::string(kRequestIdMax, 'a'));
  EXPECT_EQ(chosen(std::string(kRequestIdMax + 1, 'a'), true), "ours");
}

TEST(ExpectsContinue, IsTrueForHttp11Only) {
  auto expects = [](std::string_view version, std::string_view expectation) {
    std::string bytes = "POST / HTTP/" + std::string(version) +
                        "\r\nHost: a\r\nExpect: " + std::string(expectation) + "\r\nContent-Length: 1\r\n\r\n";
    RequestHead head;
    EXPECT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
    return expects_continue(head, bytes.data());
  };
  EXPECT_TRUE(expects("1.1", "100-continue"));
  EXPECT_TRUE(expects("1.1", "100-Continue"));
  EXPECT_FALSE(expects("1.1", "200-ok"));
  EXPECT_FALSE(expects("1.0", "100-continue"));
}

// Whatever is forwarded is itself a request that means the same.
TEST(RequestForUpstream, IsUnderstoodAsItWas) {
  std::mt19937 random(11);
  const std::vector<std::string> lines = {
      "Accept:*/*",
      "X-A: b ",
      "X-B:\tc",
      "Cookie: a=b; c=d",
      "Connection: x-a, close",
      "TE: trailers",
      "X_Real_IP: x",
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
      "Empty:",
      "If-None-Match: \"a\"",
      "X-Forwarded-For: 1.2.3.4",
      "Upgrade: h2c",
      "Keep-Alive: 5",
      "Expect: 100-continue",
      "Trailer: x",
      "Via: 1.1 z",
      "Max-Forwards: 3",
  };
  const std::vector<std::string> framings = {"", "Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = random() % 2 == 0 ? "POST http://b/%2e/x?y HTTP/1.1\r\n" : "OPTIONS /x/./?y HTTP/1.1\r\n";
    bytes += "Host: a:81\r\n" + framings[random() % framings.size()];
    for (std::size_t i = random() % 9; i > 0; --i) bytes += lines[random() % lines.size()] + "\r\n";
    bytes += "\r\n";
    RequestHead before;
    ASSERT_EQ(parse_request_head(bytes, {}, before).status, ParseStatus::complete) << bytes;
    std::string sent = forwarded(bytes);
    RequestHead after;
    ASSERT_EQ(parse_request_head(sent, {}, after).status, ParseStatus::complete) << sent;
    EXPECT_EQ(after.size, sent.size());
    EXPECT_EQ(after.method, before.method);
    EXPECT_EQ(body_framing(after).framing, body_framing(before).framing);
    EXPECT_EQ(body_framing(after).length, body_framing(before).length);
    EXPECT_EQ(after.host.host(), before.host.host());
    EXPECT_EQ(after.path_and_query.in(sent.data()), before.form == TargetForm::absolute ? "/x?y" : "/x/?y");
  }
}

// ---- responses -------------------------------------------------------------------------------

struct Sent {
  std::string head;
  ResponseFraming framing;
};

Sent respond(std::string bytes, ClientConnection client = {}, const HeaderRules& rules = {}) {
  ResponseHead head;
  auto parsed = parse_response_head(bytes, {}, head);
  EXPECT_EQ(parsed.status, ParseStatus::complete) << bytes;
  if (client.date.empty()) client.date = "today";
  ExchangeFacts facts;
  facts.node = "lb-a";
  facts.upstream = "blog";
  Buffer out;
  Sent sent;
  sent.framing = response_for_client(out, head, bytes.data(), client, facts, rules);
  sent.head = std::string(out.view());
  return sent;
}

TEST(ResponseForClient, IsWrittenAnew) {
  auto sent = respond(
      "HTTP/1.1 404 Nothing here\r\nServer: x\r\nContent-Length: 05\r\nX:\ty\r\nConnection: keep-alive, X-Hop\r\n"
      "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n");
  EXPECT_EQ(sent.head,
            "HTTP/1.1 404 Nothing here\r\nServer: x\r\nX: y\r\nSet-Cookie: a=b\r\nSet-Cookie: "
            "c=d\r\nContent-Length: 5\r\n"
            "Date: today\r\nVia: 1.1 lb-a\r\n\r\n");
  EXPECT_EQ(sent.framing.body.framing, Framing::content_length);
  EXPECT_EQ(sent.framing.body.length, 5U);
  EXPECT_TRUE(sent.framing.persists);
}

TEST(ResponseForClient, IsFramedForItsClient) {
  struct Case {
    const char* what;
    std::string lines;
    ClientConnection client;
    Framing framing;
    bool persists;
    std::string length, coding, connection;
  };
  const ClientConnection http11{};
  const ClientConnection http10{.minor_version = 0};
  const ClientConnection http10_once{.minor_version = 0, .wants_to_persist = false};
  const ClientConnection closing{.wants_to_persist = false};
  const ClientConnection head{.method = Method::head};
  const ClientConnection head10{.minor_version = 0, .method = Method::head};
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string counted = ok + "Content-Length: 5\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n";
  const Case cases[] = {
      {"counted", counted, http11, Framing::content_length, true, "5", "-", "-"},
      {"counted, closing", counted, closing, Framing::content_length, false, "5", "-", "close"},
      {"counted, 1.0", counted, http10, Framing::content_length, true, "5", "-", "keep-alive"},
      {"counted, 1.0 once", counted, http10_once, Framing::content_length, false, "5", "-", "close"},
      {"chunked", chunked, http11, Framing::chunked, true, "-", "chunked", "-"},
      {"chunked, 1.0", chunked, http10, Framing::until_close, false, "-", "-", "close"},
      {"until close", ok, http11, Framing::chunked, true, "-", "chunked", "-"},
      {"until close, 1.0", ok, http10, Framing::until_close, false, "-", "-", "close"},
      {"until close, from 1.0", "HTTP/1.0 200 OK\r\n", http11, Framing::chunked, true, "-", "chunked", "-"},
      {"empty", ok + "Content-Length: 0\r\n", http10, Framing::none, true, "0", "-", "keep-alive"},
      {"HEAD, counted", counted, head, Framing::none, true, "5", "-", "-"},
      {"HEAD, chunked", chunked, head, Framing::none, true, "-", "chunked", "-"},
      {"HEAD, chunked, 1.0", chunked, head10, Framing::none, true, "-", "-", "keep-alive"},
      {"HEAD, neither", ok, head, Framing::none, true, "-", "-", "-"},
      {"204", "HTTP/1.1 204 x\r\nContent-Length: 5\r\n", http11, Framing::none, true, "-", "-", "-"},
      {"204, chunked", "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n", http11, Framing::none, true, "-", "-",
       "-"},
      {"304", "HTTP/1.1 304 x\r\nContent-Length: 5\r\n", http11, Framing::none, true, "5", "-", "-"},
      {"304, chunked", "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n", http11, Framing::none, true, "-", "-",
       "-"},
  };
  for (const Case& c : cases) {
    auto sent = respond(c.lines + "\r\n", c.client);
    EXPECT_EQ(sent.framing.body.framing, c.framing) << c.what;
    EXPECT_EQ(sent.framing.persists, c.persists) << c.what;
    EXPECT_EQ(field(sent.head, "Content-Length"), c.length) << c.what;
    EXPECT_EQ(field(sent.head, "Transfer-Encoding"), c.coding) << c.what;
    EXPECT_EQ(field(sent.head, "Connection"), c.connection) << c.what;
    // and a client reads it as we mean it
    ResponseHead read;
    ASSERT_EQ(parse_response_head(sent.head, {}, read).status, ParseStatus::complete) << c.what;
    EXPECT_EQ(body_framing(read, c.client.method).framing, c.framing) << c.what;
    EXPECT_EQ(body_framing(read, c.client.method).length, sent.framing.body.length) << c.what;
  }
}

TEST(ResponseForClient, KeepsTheDateOfTheOrigin) {
  EXPECT_EQ(field(respond("HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 0\r\n\r\n").head, "Date"), "then");
  EXPECT_EQ(field(respond("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").head, "Date"), "today");
}

TEST(ResponseForClient, ExtendsVia) {
  EXPECT_EQ(field(respond("HTTP/1.0 200 OK\r\nVia: 1.1 x\r\nContent-Length: 0\r\n\r\n").head, "Via"),
            "1.1 x|1.0 lb-a");
}

TEST(ResponseForClient, PassesTrailerOnlyWithChunks) {
  const std::string lines = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n";
  EXPECT_EQ(field(respond(lines).head, "Trailer"), "x");
  EXPECT_EQ(field(respond(lines, {.minor_version = 0}).head, "Trailer"), "-");
}

TEST(ResponseForClient, ObeysTheRules) {
  HeaderRules rules;
  rules.set("Server", value("web"));
  rules.remove("X-Powered-By");
  rules.remove("Via");
  rules.set("Date", value("never"));
  rules.add("X-Served-By", value("${node} ${upstream}"));
  EXPECT_EQ(
      respond("HTTP/1.1 200 OK\r\nServer: x/1.0\r\nX-Powered-By: y\r\nContent-Length: 0\r\n\r\n", {}, rules).head,
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: web\r\nDate: never\r\nX-Served-By: lb-a blog\r\n\r\n");
}

struct Coded {
  std::string head;
  ResponseFraming framing;
};

Coded in_coding(Coding coding, const std::string& bytes, std::uint8_t minor_version = 1) {
  ResponseHead head;
  EXPECT_EQ(parse_response_head(bytes, {}, head, 0).status, ParseStatus::complete);
  ClientConnection client;
  client.minor_version = minor_version;
  Buffer out;
  ResponseChanges changes;
  changes.appended = "Set-Cookie: a=b\r\n";
  changes.coding = coding;
  changes.varies_by_coding = true;
  Coded coded;
  coded.framing = response_for_client(out, head, bytes.data(), client, {}, {}, changes);
  coded.head = std::string(out.view());
  return coded;
}

TEST(ResponseForClient, SaysThatItIsCompressed) {
  const Coded coded =
      in_coding(Coding::gzip,
                "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nETag: \"v1\"\r\nAccept-Ranges: bytes\r\n"
                "Vary: Origin\r\n\r\n");
  EXPECT_EQ(field(coded.head, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(coded.head, "Content-Length"), "-");
  EXPECT_EQ(field(coded.head, "Transfer-Encoding"), "chunked");
  EXPECT_EQ(field(coded.head, "ETag"), "W/\"v1\"");
  EXPECT_EQ(field(coded.head, "Accept-Ranges"), "-");
  EXPECT_EQ(field(coded.head, "Vary"), "Origin, Accept-Encoding");
  EXPECT_EQ(field(coded.head, "Set-Cookie"), "a=b");
  EXPECT_EQ(coded.framing.body.framing, Framing::chunked);
}

TEST(ResponseForClient, VariesThoughThisClientGotItPlain) {
  const Coded coded = in_coding(Coding::identity, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"v1\"\r\n\r\n");
  EXPECT_EQ(field(coded.head, "Content-Length"), "5");
  EXPECT_EQ(field(coded.head, "ETag"), "\"v1\"");
  EXPECT_EQ(field(coded.head, "Vary"), "Accept-Encoding");
  EXPECT_EQ(coded.framing.body.framing, Framing::content_length);
}

TEST(ResponseForClient, DoesNotSayTwiceThatItVaries) {
  for (const std::string vary : {"accept-encoding", "*", "Origin, Accept-Encoding"}) {
    const Coded coded = in_coding(
        Coding::brotli, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVary: " + vary + "\r\nETag: W/\"v1\"\r\n\r\n");
    EXPECT_EQ(field(coded.head, "Vary"), vary);
    EXPECT_EQ(field(coded.head, "ETag"), "W/\"v1\"");
  }
}

TEST(ResponseForClient, ConfirmsACodedResponseByItsWeakTag) {
  const std::string bytes = "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse_response_head(bytes, {}, head, 0).status, ParseStatus::complete);
  ResponseChanges changes;
  changes.weakens_etag = changes.varies_by_coding = true;
  Buffer out;
  (void)response_for_client(out, head, bytes.data(), {}, {}, {}, changes);
  EXPECT_EQ(out.view(), "HTTP/1.1 304 Not Modified\r\nETag: W/\"v1\"\r\nVary: Accept-Encoding\r\n\r\n");
}

TEST(ResponseForClient, CompressedForHttp10EndsWithTheConnection) {
  const Coded coded = in_coding(Coding::gzip, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 0);
  EXPECT_EQ(field(coded.head, "Transfer-Encoding"), "-");
  EXPECT_EQ(coded.framing.body.framing, Framing::until_close);
  EXPECT_FALSE(coded.framing.persists);
}

TEST(ResponseForClient, MapsWhatTheServerCallsItsPaths) {
  const std::string bytes =
      "HTTP/1.1 302 Found\r\nLocation: /v1/x\r\nSet-Cookie: a=b; Path=/v1\r\nSet-Cookie: c=d\r\nRefresh: 1; "
      "url=/v1\r\n"
      "Content-Length: 0\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse_response_head(bytes, {}, head, 0).status, ParseStatus::complete);
  const PathMapping mapping{"/api", "/v1"};
  ResponseChanges changes;
  changes.mapping = &mapping;
  HeaderRules rules;
  rules.set("Refresh", value("never"));
  Buffer out;
  (void)response_for_client(out, head, bytes.data(), {}, {}, rules, changes);
  EXPECT_EQ(out.view(),
            "HTTP/1.1 302 Found\r\nLocation: /api/x\r\nSet-Cookie: a=b; Path=/api\r\nSet-Cookie: c=d\r\n"
            "Content-Length: 0\r\nRefresh: never\r\n\r\n");
}

TEST(ResponseForClient, CopesWithNoReason) {
  EXPECT_EQ(respond("HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n").head.substr(0, 15), "HTTP/1.1 299 \r\n");
}

TEST(InterimForClient, PassesToHttp11Only) {
  std::string bytes =
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 5\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse_response_head(bytes, {}, head).status, ParseStatus::complete);
  ExchangeFacts facts;
  facts.node = "lb-a";
  Buffer out;
  EXPECT_TRUE(interim_for_client(out, head, bytes.data(), {}, facts));
  EXPECT_EQ(out.view(), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nVia: 1.1 lb-a\r\n\r\n");
  out.clear();
  EXPECT_FALSE(interim_for_client(out, head, bytes.data(), {.minor_version = 0}, facts));
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace vipair::http
