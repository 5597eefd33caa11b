#include "proxy/server/request.h"

namespace vipair::proxy {

void Request::reset() {
  exchange.finish();
  state = State::reading_head;
  head_seen = 0;
  head_bytes = nullptr;
  target = {};
  client_text.clear();
  user.clear();
  allow.clear();
  rewritten.clear();
  for (auto& hold : running_holds) hold.release();
  if (password_check != nullptr) password_check->waiter = nullptr;
  password_check.reset();
  answer_fields.clear();
  id = {};
  local = nullptr;
  site = nullptr;
  route = nullptr;
  dispatch.reset();
  connection_persists = false;
  tunnel = {};
  upstream_time = Duration::zero();
  status = 0;
  answer_bytes = 0;
  client_is_trusted = client_persists = must_abort = must_linger = false;
}

http::ExchangeFacts facts_of(const Request& request, const ClientInfo& client) {
  http::ExchangeFacts facts;
  facts.client_address = client.address_text;
  if (request.client_text.empty()) {
    facts.client_port = client.port_text;
  } else {
    facts.peer_address = facts.client_address;
    facts.client_address = request.client_text;
  }
  facts.server_port = client.listening_port_text;
  facts.http_version = client.http_version == 2 ? "2.0" : "1.1";
  facts.user = request.user;
  if (client.tls != nullptr) {
    facts.tls_version = client.tls->version;
    facts.tls_cipher = client.tls->cipher;
    facts.sni = client.tls->server_name;
  }
  facts.target = request.rewritten.view();
  facts.scheme = client.is_tls ? "https" : "http";
  if (client.tls != nullptr && client.tls->client != nullptr) {
    const ClientCertificate& certificate = *client.tls->client;
    facts.client_certificate = certificate.field;
    facts.tls_client_subject = certificate.subject;
    facts.tls_client_issuer = certificate.issuer;
    facts.tls_client_serial = certificate.serial;
    facts.tls_client_fingerprint = certificate.fingerprint;
  }
  if (request.head_bytes != nullptr) {
    if (request.exchange.request.minor_version == 0) facts.http_version = "1.0";
    facts.host = request.exchange.request.host.host();
    facts.authority = request.exchange.request.authority.in(request.head_bytes);
    facts.method = request.exchange.request.method_name.in(request.head_bytes);
  }
  facts.path = request.target.path;
  facts.query = request.target.query;
  facts.node = request.local->snapshot->config.node;
  facts.request_id = request.id;
  facts.upgrade = request.exchange.upgrade;
  if (const UpstreamPool* server = request.dispatch.server(); server != nullptr) {
    facts.upstream = server->server().upstream;
    facts.upstream_address = server->server().text;
  }
  if (request.route != nullptr && request.route->pattern) facts.captures = request.captures;
  facts.client_speaks_http2 = client.http_version == 2;
  facts.client_is_trusted = request.client_is_trusted;
  return facts;
}

std::unique_ptr<Request> RequestPool::take() {
  std::unique_ptr<Request> request = free_.take();
  return request != nullptr ? std::move(request) : std::make_unique<Request>(buffers_);
}

void RequestPool::give_back(std::unique_ptr<Request> request) {
  request->reset();
  request->exchange.head_in.release();
  free_.give_back(std::move(request));
}

}  // namespace vipair::proxy
