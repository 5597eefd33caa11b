#include "tests/support/conversation.h"

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "common/base/assert.h"
#include "proxy/server/client_session.h"
#include "proxy/server/h2_opening.h"
#include "proxy/server/h2_session.h"
#include "proxy/server/proxy_opening.h"
#include "proxy/server/tunnel_session.h"

namespace vipair::proxy::testing {

Config simple_config(std::size_t servers) {
  Config config;
  config.node = "lb-a";
  config.workers = 1;
  config.listeners = {{*IpEndpoint::parse("192.0.2.100:80")}};
  Site site;
  site.name = "*";
  site.hosts = {"*"};
  Upstream upstream;
  upstream.name = "app";
  for (std::size_t i = 1; i <= servers; ++i) {
    const std::string address = "10.0.0." + std::to_string(i) + ":80";
    upstream.servers.push_back({address, *IpEndpoint::parse(address)});
  }
  upstream.connect_timeout = config.timeouts.connect;
  upstream.response_head_timeout = config.timeouts.response_head;
  site.upstreams = {upstream};
  Route route;
  route.path = "/";
  site.routes = {route};
  config.sites = {site};
  return config;
}

Conversation::Conversation(Config config)
    : now_(std::chrono::hours(1)),
      scheduler_(now_),
      context_(
          scheduler_, 0,
          [this](const IpEndpoint& endpoint, int& error) -> std::unique_ptr<Stream> {
            Connect outcome = Connect::accept;
            if (!outcomes_.empty()) {
              outcome = outcomes_.front();
              outcomes_.pop_front();
            }
            if (outcome == Connect::no_descriptor) {
              error = EMFILE;
              return nullptr;
            }
            auto wire = std::make_shared<Wire>();
            auto stream = std::make_unique<MemoryStream>(wire);
            origins_.push_back(wire);
            endpoints_.push_back(endpoint);
            if (outcome == Connect::accept) wire->accept();
            if (outcome == Connect::refuse) wire->refuse(ECONNREFUSED);
            return stream;
          },
          RequestIds(7)) {
  context_.set_wall_time(WallTime(std::chrono::seconds(1795161600)));
  context_.begin_session = [this](std::unique_ptr<Stream> client, const ClientInfo& info) {
    begin_session(std::move(client), info);
  };
  snapshot_ = make_snapshot(std::move(config), 1, nullptr);
  context_.use(snapshot_);
  client_ = connect();
}

Conversation::~Conversation() {
  while (Session* session = context_.sessions.pop_front()) delete session;
}

template <class AnySession>
void Conversation::begin(std::unique_ptr<AnySession> session) {
  context_.sessions.push_back(*session);
  session.release()->start();
}

template <class AnySession>
std::shared_ptr<Wire> Conversation::connect_as(const char* address) {
  auto wire = std::make_shared<Wire>();
  auto stream = std::make_unique<MemoryStream>(wire);
  wire->accept();
  auto session = std::make_unique<AnySession>(
      context_, std::move(stream), ClientInfo(*IpEndpoint::parse(address), *IpEndpoint::parse("192.0.2.100:80")));
  begin(std::move(session));
  clients_.push_back(wire);
  return wire;
}

std::shared_ptr<Wire> Conversation::connect(const char* address) { return connect_as<ClientSession>(address); }
std::shared_ptr<Wire> Conversation::connect_http2(const char* address) { return connect_as<H2Session>(address); }
std::shared_ptr<Wire> Conversation::connect_to_either(const char* address) {
  return connect_as<H2Opening>(address);
}

std::shared_ptr<Wire> Conversation::connect_to(const char* listener, const char* address) {
  auto wire = std::make_shared<Wire>();
  auto stream = std::make_unique<MemoryStream>(wire);
  wire->accept();
  ClientInfo info(*IpEndpoint::parse(address), *IpEndpoint::parse(listener));
  info.local = info.listening;
  if (snapshot_->wants_proxy_header(info.listening)) {
    begin(std::make_unique<ProxyOpening>(context_, std::move(stream), info));
  } else {
    begin_session(std::move(stream), info);
  }
  clients_.push_back(wire);
  return wire;
}

void Conversation::begin_session(std::unique_ptr<Stream> client, const ClientInfo& info) {
  if (auto tcp = snapshot_->tcp_listeners.find(info.listening); tcp != snapshot_->tcp_listeners.end()) {
    begin(std::make_unique<TunnelSession>(context_, std::move(client), info, tcp->second));
  } else {
    begin(std::make_unique<ClientSession>(context_, std::move(client), info));
  }
}

void Conversation::turn() {
  if (next_size_) {
    for (const auto& list : {clients_, origins_}) {
      for (const auto& wire : list) wire->read_max = wire->write_max = next_size_();
    }
  }
  scheduler_.advance(now_);
  scheduler_.run();
  context_.end_turn();
}

void Conversation::run() {
  do {
    turn();
  } while (scheduler_.has_work());
}

void Conversation::pass(Duration duration) {
  const TimePoint end = now_ + duration;
  while (now_ < end) {
    now_ = std::min(end, now_ + Scheduler::kTick);
    run();
  }
}

void Conversation::pause(Duration duration) { now_ += duration; }

void Conversation::client_sends(std::string_view bytes) {
  client_->send(bytes);
  run();
}

void Conversation::origin_sends(std::string_view bytes) {
  VIPAIR_ASSERT(!origins_.empty(), "the proxy has connected to nobody");
  origin().send(bytes);
  run();
}

void Conversation::reload(Config config) {
  snapshot_ = make_snapshot(std::move(config), 1, snapshot_.get());
  context_.use(snapshot_);
}

Session& Conversation::session() {
  Session* first = nullptr;
  context_.sessions.for_each([&](Session& each) { first = first == nullptr ? &each : first; });
  VIPAIR_ASSERT(first != nullptr, "the session has ended");
  return *first;
}

void Conversation::drain() {
  context_.begin_drain();
  run();
}

// ---- reading messages ------------------------------------------------------------------------

std::string field(const std::string& message, const std::string& name) {
  auto is_same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
  std::size_t at = message.find("\r\n");
  while (at != std::string::npos && message.compare(at, 4, "\r\n\r\n") != 0) {
    at += 2;
    const std::size_t end = message.find("\r\n", at);
    const std::string line = message.substr(at, end - at);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        std::equal(name.begin(), name.end(), line.begin(), is_same)) {
      return line.substr(line.find_first_not_of(" ", name.size() + 1));
    }
    at = end;
  }
  return "";
}

std::string first_line(const std::string& message) { return message.substr(0, message.find("\r\n")); }

std::string body_of(const std::string& message) {
  const std::size_t at = message.find("\r\n\r\n");
  return at == std::string::npos ? "" : message.substr(at + 4);
}

}  // namespace vipair::proxy::testing
