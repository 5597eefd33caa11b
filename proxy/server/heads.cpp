#include "proxy/server/heads.h"

#include <utility>

#include "proxy/http/body.h"
#include "proxy/http/forwarding.h"
#include "proxy/http/persistence.h"
#include "proxy/server/response_coding.h"

namespace vipair::proxy {

namespace {

http::ResponseChanges changes_of(const ClientInfo& client, const Request& request) {
  http::ResponseChanges changes;
  const Dispatch& dispatch = request.dispatch;
  // Whoever does not belong to this server does now.
  const auto& sticky = dispatch.upstream().shared->sticky;
  if (sticky && dispatch.preference().server != dispatch.server_index())
    changes.appended = sticky->field(dispatch.server_index(), client.is_tls);
  if (request.route->mapping) changes.mapping = &*request.route->mapping;
  return changes;
}

http::ClientConnection connection_of(const WorkerContext& worker, const Request& request, bool may_persist) {
  const http::RequestHead& head = request.exchange.request;
  return {head.minor_version, head.method, may_persist, worker.date()};
}

void has_answered(const WorkerContext& worker, Request& request) {
  request.status = request.exchange.response.status;
  request.upstream_time = worker.scheduler.now() - request.sent;
  request.dispatch.answered(request.status);
}

}  // namespace

void send_request(WorkerContext& worker, const ClientInfo& client, Request& request) {
  Exchange& exchange = request.exchange;
  const TimePoint now = worker.scheduler.now();
  const Config& config = request.local->snapshot->config;
  if (exchange.request.fields.has(http::FieldName::upgrade)) {
    exchange.upgrade =
        http::requested_upgrade(exchange.request, request.head_bytes, request.route->config->upgrades);
  }
  exchange.upstream_head.clear();
  const proxy::Upstream& upstream = *request.dispatch.upstream().config;
  if (!upstream.tls)
    policy::append_proxy_header(exchange.upstream_head, upstream.send_proxy_protocol,
                                {client.address, client.local});
  http::RequestChanges changes;
  if (const auto& sticky = request.dispatch.upstream().shared->sticky) changes.own_cookie = sticky->name();
  http::request_for_upstream(exchange.upstream_head, exchange.request, request.head_bytes,
                             facts_of(request, client), request.route->request_headers, changes);
  exchange.begin_sending(config.timeouts, upstream.response_head_timeout, config.limits,
                         request.local->snapshot->response_limits, now);
  request.dispatch.server()->slot().requests.add();
  request.sent = now;
}

void send_interim_response(const WorkerContext& worker, const ClientInfo& client, Request& request) {
  Exchange& exchange = request.exchange;
  exchange.client_head.clear();
  // Nothing is written for a client that does not know of 1xx.
  (void)http::interim_for_client(exchange.client_head, exchange.response, exchange.upstream_in.data(),
                                 connection_of(worker, request, true), facts_of(request, client));
  exchange.send_interim_response(worker.scheduler.now());
}

void send_response(WorkerContext& worker, const ClientInfo& client, Request& request) {
  Exchange& exchange = request.exchange;
  exchange.client_head.clear();
  // A body that is still on its way would have to be read to its end: the upstream has answered without it.
  const bool may_persist = request.client_persists && !worker.announces_close && exchange.request_was_received();
  http::ResponseChanges changes = changes_of(client, request);
  EncoderPool::Encoder encoder;
  if (request.site->compression != nullptr) encoder = choose_coding(worker, request, changes);
  const http::ResponseFraming framing =
      http::response_for_client(exchange.client_head, exchange.response, exchange.upstream_in.data(),
                                connection_of(worker, request, may_persist), facts_of(request, client),
                                request.route->response_headers, changes);
  request.client_persists = framing.persists;
  request.connection_persists = http::connection_persists(exchange.response, exchange.request.method);
  has_answered(worker, request);
  exchange.send_response(http::body_framing(exchange.response, exchange.request.method),
                         framing.body.framing == http::Framing::chunked, std::move(encoder),
                         worker.scheduler.now());
}

void send_switch(WorkerContext& worker, const ClientInfo& client, Request& request) {
  Exchange& exchange = request.exchange;
  exchange.client_head.clear();
  http::switch_for_client(exchange.client_head, exchange.response, exchange.upstream_in.data(),
                          facts_of(request, client), request.route->response_headers, changes_of(client, request));
  request.client_persists = request.connection_persists = false;
  has_answered(worker, request);
  request.tunnel = CounterHold(worker.counters.tunnels.running);
  worker.counters.tunnels.upgrades.add();
  exchange.send_switch(request.local->snapshot->config.timeouts.tunnel_idle, worker.scheduler.now());
}

}  // namespace vipair::proxy
