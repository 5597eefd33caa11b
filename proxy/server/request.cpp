#include "proxy/server/request.h"

namespace vipair::proxy {

void Request::reset() {
  exchange.finish();
  state = State::reading_head;
  head_seen = 0;
  head_bytes = nullptr;
  target = {};
  answer_fields.clear();
  id = {};
  local = nullptr;
  site = nullptr;
  route = nullptr;
  upstream = nullptr;
  server_index.reset();
  server = nullptr;
  connection.reset();
  connection_is_reused = connection_persists = false;
  tunnel = {};
  attempts = 0;
  upstream_time = Duration::zero();
  status = 0;
  answer_bytes = 0;
  client_is_trusted = client_persists = must_abort = must_linger = false;
}

http::ExchangeFacts facts_of(const Request& request, const ClientInfo& client) {
  http::ExchangeFacts facts;
  facts.client_address = client.address_text;
  facts.client_port = client.port_text;
  facts.scheme = client.is_tls ? "https" : "http";
  if (client.tls != nullptr) facts.client_certificate = client.tls->client.field;
  if (request.head_bytes != nullptr) {
    facts.host = request.exchange.request.host.host();
    facts.method = request.exchange.request.method_name.in(request.head_bytes);
  }
  facts.path = request.target.path;
  facts.query = request.target.query;
  facts.node = request.local->snapshot->config.node;
  facts.request_id = request.id;
  facts.upgrade = request.exchange.upgrade;
  if (request.server != nullptr) {
    facts.upstream = request.server->server().upstream;
    facts.upstream_address = request.server->server().text;
  }
  facts.client_is_trusted = request.client_is_trusted;
  return facts;
}

std::unique_ptr<Request> RequestPool::take() {
  if (free_.empty()) return std::make_unique<Request>(buffers_);
  std::unique_ptr<Request> request = std::move(free_.back());
  free_.pop_back();
  return request;
}

void RequestPool::give_back(std::unique_ptr<Request> request) {
  request->reset();
  request->exchange.head_in.release();
  if (free_.size() < kKeptMax) free_.push_back(std::move(request));
}

}  // namespace vipair::proxy
