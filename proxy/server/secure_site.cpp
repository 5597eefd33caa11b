#include "proxy/server/secure_site.h"

#include "proxy/http/chars.h"

namespace vipair::proxy {

using policy::Refusal;

namespace {

OwnAnswer refuse(WorkerContext& worker, Refusal refusal) {
  worker.counters.refusals[static_cast<std::size_t>(refusal)].add();
  return {policy::status_for(refusal)};
}

// Over TLS, or the trusted proxy before us says that it was.
bool came_by_https(const ClientInfo& client, const Request& request) {
  if (client.is_tls) return true;
  if (!request.client_is_trusted) return false;
  const http::Field* const field = request.exchange.request.fields.find(http::FieldName::x_forwarded_proto);
  return field != nullptr && http::equal_ignoring_case(field->value.in(request.head_bytes), "https");
}

// RFC 9110 section 7.4: what was asked for by its https address is not served without TLS.
bool asks_for_https(const Request& request) {
  const http::RequestHead& head = request.exchange.request;
  if (head.form != http::TargetForm::absolute) return false;
  return http::equal_ignoring_case(head.target.in(request.head_bytes).substr(0, 6), "https:");
}

OwnAnswer redirect_to_https(WorkerContext& worker, Request& request) {
  const http::RequestHead& head = request.exchange.request;
  if (head.host.empty()) return refuse(worker, Refusal::https_only);  // where to?
  http::Buffer& fields = request.answer_fields;
  fields.append("Location: https://");
  fields.append(head.host.host());
  if (const std::uint16_t port = request.local->snapshot->https_port; port != 443) {
    fields.append(":");
    fields.append_number(port);
  }
  if (request.target.path != "*") fields.append(request.target.path);
  fields.append(request.target.query);
  fields.append("\r\n");
  // Only these two may become a GET on the way.
  const bool is_plain = head.method == http::Method::get || head.method == http::Method::head;
  return {is_plain ? 301 : 308};
}

}  // namespace

std::optional<OwnAnswer> check_security(WorkerContext& worker, const ClientInfo& client, Request& request,
                                        const Snapshot::Site& site) {
  const SiteTls& tls = site.config->tls;
  if (client.tls != nullptr) {
    if (tls.https == HttpsMode::off || client.tls->client_rules != site.client_rules) {
      return refuse(worker, Refusal::misdirected);
    }
    return {};
  }
  if (asks_for_https(request) && !came_by_https(client, request)) return refuse(worker, Refusal::misdirected);
  const bool needs_https = tls.https == HttpsMode::redirect || tls.https == HttpsMode::only;
  if (!needs_https) return {};
  // Whose certificate a proxy before us has seen is not for us to know.
  const bool is_believed = tls.clients.mode != ClientCertificateMode::required;
  if (is_believed && came_by_https(client, request)) return {};
  if (tls.https == HttpsMode::redirect && !came_by_https(client, request))
    return redirect_to_https(worker, request);
  return refuse(worker, Refusal::https_only);
}

}  // namespace vipair::proxy
