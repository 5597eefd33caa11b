#include "proxy/server/admission.h"

#include "proxy/http/body.h"
#include "proxy/http/forwarding.h"
#include "proxy/http/persistence.h"
#include "proxy/server/secure_site.h"

namespace vipair::proxy {

using policy::Refusal;

namespace {

OwnAnswer refuse(WorkerContext& worker, Refusal refusal) {
  worker.counters.refusals[static_cast<std::size_t>(refusal)].add();
  return {policy::status_for(refusal)};
}

}  // namespace

std::optional<OwnAnswer> admit(WorkerContext& worker, const ClientInfo& client, Request& request) {
  Exchange& exchange = request.exchange;
  const http::RequestHead& head = exchange.request;
  const Snapshot& snapshot = *request.local->snapshot;
  request.client_is_trusted = !snapshot.trusted_proxies.empty() && snapshot.trusts(client.address.address);
  request.id = http::request_id_for(head, request.head_bytes, request.client_is_trusted,
                                    worker.request_ids.next(request.id_bytes));
  request.client_persists = http::connection_persists(head);
  const http::BodyFraming framing = http::body_framing(head);

  auto target = http::canonical_target(head, request.head_bytes, request.path_scratch);
  if (!target) worker.counters.bad_targets[static_cast<std::size_t>(target.error())].add();
  if (target) request.target = *target;
  const policy::Router::Match match =
      target ? snapshot.router.match(head.host.host(), request.target.path) : policy::Router::Match{};
  const Snapshot::Site* site = request.site = match.site ? &snapshot.sites[*match.site] : nullptr;
  const std::uint64_t body_max =
      site != nullptr ? site->config->request_body_max : snapshot.config.limits.request_body;
  exchange.begin_request(framing, body_max, http::expects_continue(head, request.head_bytes));

  if (policy::is_refused(head.method)) return refuse(worker, Refusal::method);
  if (!target) return refuse(worker, Refusal::bad_target);
  if (http::max_forwards_exhausted(head, request.head_bytes)) return OwnAnswer{200};
  if (site == nullptr) return refuse(worker, Refusal::no_site);
  if (auto refused = check_security(worker, client, request, *site)) return refused;
  if (!match.route) return refuse(worker, Refusal::no_route);
  if (framing.framing == http::Framing::content_length && framing.length > body_max) {
    return refuse(worker, Refusal::body_too_large);
  }
  request.route = &site->routes[*match.route];
  request.upstream = &request.local->upstreams[request.route->upstream];
  return {};
}

}  // namespace vipair::proxy
