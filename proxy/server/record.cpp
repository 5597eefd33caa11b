#include "proxy/server/record.h"

namespace vipair::proxy {

namespace {

LogEntry entry_of(const WorkerContext& worker, const ClientInfo& info, const Request& request) {
  const Exchange& exchange = request.exchange;
  LogEntry entry;
  entry.time = worker.wall_time();
  entry.duration = worker.scheduler.now() - request.started;
  entry.client = request.client_text.empty() ? info.address : IpEndpoint{request.client, 0};
  entry.status = static_cast<std::uint16_t>(request.status != 0 ? request.status : 499);
  entry.request_id = request.id;
  entry.upstream_time = request.upstream_time;
  entry.attempts = static_cast<std::uint8_t>(request.dispatch.attempts());
  if (const UpstreamPool* server = request.dispatch.server(); server != nullptr) {
    entry.upstream = server->server().upstream;
    entry.upstream_address = server->server().text;
  }
  if (info.tls != nullptr) entry.tls = info.tls->version;
  if (const char* bytes = request.head_bytes; bytes != nullptr) {
    const http::RequestHead& head = exchange.request;
    entry.protocol = info.http_version == 2    ? http::LogProtocol::http_2
                     : head.minor_version == 0 ? http::LogProtocol::http_1_0
                                               : http::LogProtocol::http_1_1;
    entry.method = head.method_name.in(bytes);
    entry.target = head.target.in(bytes);
    entry.host = head.host.host();
    if (const http::Field* field = head.fields.find(http::FieldName::referer))
      entry.referer = field->value.in(bytes);
    if (const http::Field* field = head.fields.find(http::FieldName::user_agent)) {
      entry.user_agent = field->value.in(bytes);
    }
  }
  entry.request_bytes = exchange.request_payload();
  entry.response_bytes = request.answer_bytes + exchange.response_payload();
  return entry;
}

}  // namespace

void record(WorkerContext& worker, const ClientInfo& info, const Request& request) {
  if (request.head_bytes == nullptr && request.status == 0) return;
  const Exchange& exchange = request.exchange;
  Served served;
  served.status = request.status;
  served.request_bytes = exchange.request_payload();
  served.response_bytes = request.answer_bytes + exchange.response_payload();
  // How long somebody talks through a tunnel says nothing about how fast it was made.
  served.duration = exchange.is_tunnel() ? request.upstream_time : worker.scheduler.now() - request.started;

  WorkerCounters& counters = worker.counters;
  counters.requests.add();
  counters.bytes_from_clients.add(served.request_bytes);
  counters.bytes_to_clients.add(served.response_bytes);
  if (const BodyPump& body = exchange.response_body; body.is_encoded()) {
    counters.compression.bytes_in.add(body.payload_bytes());
    counters.compression.bytes_out.add(body.payload_bytes_out());
  }
  counters.responses[static_cast<std::size_t>(served.status / 100)].add();
  if (request.site != nullptr) request.site->traffic->add(worker.index, served);
  if (request.upstream_time > Duration::zero()) {  // it has answered; this is its time, not the client's
    served.duration = request.upstream_time;
    request.local->snapshot->upstreams[request.route->upstream].traffic->add(worker.index, served);
  }
  if (!worker.wants_log_line(request.status)) return;
  if (!worker.access_log->ring(worker.index).push(entry_of(worker, info, request))) counters.log_lines_lost.add();
}

}  // namespace vipair::proxy
