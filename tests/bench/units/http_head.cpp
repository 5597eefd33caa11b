// Nanoseconds per head: parsing a browser's request, and what forwarding it and its response costs. Prints a table;
// asserts nothing, because machines differ. The best of many rounds, so that a noisy neighbour does not count.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http/forwarding.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/target.h"

namespace {

using namespace vipair::http;

constexpr std::string_view kRequest =
    "GET /articles/2026/11/how-two-nodes-share-one-address?utm_source=newsletter HTTP/1.1\r\n"
    "Host: blog.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Referer: https://blog.example.com/\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=0123456789abcdef; theme=dark\r\n"
    "\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx\r\n"
    "Date: Fri, 20 Nov 2026 08:00:00 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Content-Length: 1024\r\n"
    "Last-Modified: Thu, 19 Nov 2026 10:00:00 GMT\r\n"
    "Connection: keep-alive\r\n"
    "ETag: \"673c5f10-400\"\r\n"
    "Accept-Ranges: bytes\r\n"
    "\r\n";

template <class Work>
void measure(const char* what, Work work) {
  constexpr int kRounds = 200;
  constexpr int kRepeats = 2000;
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRepeats; ++i) work();
    std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count() / kRepeats);
  }
  std::printf("%-36s %7.0f ns\n", what, best);
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

int main() {
  RequestHead request;
  ResponseHead response;
  std::string request_bytes(kRequest);
  std::string response_bytes = std::string(kResponse) + std::string(1024, 'x');
  Buffer out;
  Buffer scratch;
  HeaderRules none;
  std::printf("request of %zu bytes, response head of %zu bytes\n", kRequest.size(), kResponse.size());
  measure("parse request",
          [&] { require(parse_request_head(request_bytes, {}, request).status == ParseStatus::complete); });
  measure("parse response",
          [&] { require(parse_response_head(response_bytes, {}, response).status == ParseStatus::complete); });
  ExchangeFacts facts;
  facts.client_address = "203.0.113.7";
  facts.client_port = "49152";
  facts.scheme = "http";
  facts.node = "lb-a";
  facts.request_id = "0123456789abcdef0123456789abcdef";
  facts.upstream = "blog";
  facts.upstream_address = "10.0.0.7:80";
  measure("canonical target, request out", [&] {
    auto target = canonical_target(request, request_bytes.data(), scratch);
    require(target.has_value());
    facts.path = target->path;
    facts.query = target->query;
    out.clear();
    request_for_upstream(out, request, request_bytes.data(), facts, none);
  });
  std::printf("%-36s %7zu bytes\n", "", out.size());
  measure("response out", [&] {
    out.clear();
    response_for_client(out, response, response_bytes.data(), {}, facts, none);
  });
  std::printf("%-36s %7zu bytes\n", "", out.size());
}
