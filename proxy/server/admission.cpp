#include "proxy/server/admission.h"

#include <algorithm>
#include <utility>

#include "proxy/http/body.h"
#include "proxy/http/forwarded.h"
#include "proxy/http/forwarding.h"
#include "proxy/http/persistence.h"
#include "proxy/policy/basic_auth.h"
#include "proxy/policy/rewrite.h"
#include "proxy/server/password_checker.h"
#include "proxy/server/secure_site.h"

namespace vipair::proxy {

using policy::Refusal;

namespace {

OwnAnswer refuse(WorkerContext& worker, Refusal refusal) {
  worker.counters.refusals[static_cast<std::size_t>(refusal)].add();
  return {policy::status_for(refusal)};
}

// ---- who asks --------------------------------------------------------------------------------

void find_client(const ClientInfo& client, Request& request) {
  const Snapshot& snapshot = *request.local->snapshot;
  const IpAddress& peer = client.address.address;
  request.client = peer;
  request.client_is_trusted = !snapshot.trusted_proxies.empty() && snapshot.trusts(peer);
  if (!request.client_is_trusted) return;
  request.client = http::client_address(request.exchange.request.fields, request.head_bytes,
                                        snapshot.config.client_address_field, peer,
                                        [&](const IpAddress& address) { return snapshot.trusts(address); });
  if (request.client != peer) request.client_text = request.client.to_string();
}

// ---- where it goes ---------------------------------------------------------------------------

// Sets request.route, or in request.unrouted why there is none.
void find_route(const policy::Router& router, std::size_t site_index, Request& request) {
  const Snapshot::Site& site = *request.site;
  const http::RequestHead& head = request.exchange.request;
  request.unrouted = Refusal::no_route;
  auto give_up = [&request] {
    request.unrouted = Refusal::pattern_given_up;
    return false;
  };
  auto takes = [&](std::size_t index) {
    const Snapshot::Route& route = site.routes[index];
    if (request.unrouted == Refusal::pattern_given_up) return false;  // nobody knows whose request it was
    if (route.is_plain()) return true;
    if (route.pattern) {
      const Regex::Result result = route.pattern->match(request.target.path, &request.captures);
      if (result == Regex::Result::given_up) return give_up();
      if (result == Regex::Result::no_match) return false;
    }
    if (route.conditions == nullptr) return true;
    const Conditions::Verdict verdict = route.conditions->check(head, request.head_bytes, request.target.query);
    if (verdict == Conditions::Verdict::given_up) return give_up();
    if (verdict == Conditions::Verdict::fails) return false;
    if (route.conditions->takes_method(head.method, head.method_name.in(request.head_bytes))) return true;
    request.allow += (request.allow.empty() ? "" : ", ") + route.conditions->methods();
    request.unrouted = Refusal::method;
    return false;
  };
  if (const auto found = router.find_route(site_index, request.target.path, takes)) {
    request.route = &site.routes[*found];
  }
}

// ---- whether it may --------------------------------------------------------------------------

const Guards& guards_of(const Request& request) {
  if (request.route != nullptr) return request.route->guards;
  return request.site != nullptr ? request.site->guards : request.local->snapshot->guards;
}

// False: it may not, and `own` is what it is told.
bool passes_guards(WorkerContext& worker, const Guards& guards, Request& request, OwnAnswer& own) {
  Duration retry_after{};
  const auto refusal = check(guards, request.local->snapshot->limit_tables.get(), request.client,
                             worker.scheduler.now(), request.running_holds, retry_after);
  if (!refusal) return true;
  if (policy::status_for(*refusal) == 429) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
    request.answer_fields.append("Retry-After: ");
    request.answer_fields.append_number(static_cast<std::uint64_t>(std::max<std::int64_t>(1, seconds)));
    request.answer_fields.append("\r\n");
  }
  own = refuse(worker, *refusal);
  return false;
}

OwnAnswer ask_for_password(WorkerContext& worker, const Guards& guards, Request& request) {
  request.answer_fields.append(asks_for_password(guards)->challenge);
  return refuse(worker, Refusal::unauthorized);
}

// None: it was right before, or it is being checked now.
std::optional<OwnAnswer> check_password(WorkerContext& worker, const Guards& guards, Waiter& waiter,
                                        Request& request) {
  const http::FieldTable& fields = request.exchange.request.fields;
  const http::Field* const field = fields.find(http::FieldName::authorization);
  const auto credentials =
      field == nullptr ? std::nullopt : policy::parse_credentials(field->value.in(request.head_bytes));
  if (!credentials) return ask_for_password(worker, guards, request);
  const policy::Users& users = asks_for_password(guards)->basic_auth->users;
  const auto known = users.find(credentials->user());
  const std::string_view hash = known == users.end() ? std::string_view() : std::string_view(known->second);
  request.user = credentials->user();
  if (worker.passwords == nullptr) return refuse(worker, Refusal::passwords_busy);
  if (!hash.empty() && worker.passwords->remembers(credentials->user(), credentials->password(), hash)) return {};
  auto pending = std::make_shared<PasswordCheck>();
  pending->waiter = &waiter;
  const bool is_queued = worker.passwords->check(credentials->user(), credentials->password(), hash,
                                                 [&worker, pending](bool is_right) {
                                                   worker.post([pending, is_right] {
                                                     pending->is_right = is_right;
                                                     if (pending->waiter != nullptr) pending->waiter->wake();
                                                   });
                                                 });
  if (!is_queued) return refuse(worker, Refusal::passwords_busy);
  request.password_check = std::move(pending);
  request.deadline = worker.scheduler.now() + kPasswordCheckMax;
  return {};
}

// ---- what the route does with it -------------------------------------------------------------

OwnAnswer redirect(const ClientInfo& client, Request& request) {
  request.rewritten.clear();
  request.route->redirect->expand(facts_of(request, client), request.rewritten);
  std::string_view location = request.rewritten.view();
  // "//name" would lead to another host; a path that begins so is one that was asked for so.
  while (location.substr(0, 2) == "//") location.remove_prefix(1);
  request.answer_fields.append("Location: ");
  request.answer_fields.append(location);
  request.answer_fields.append("\r\n");
  return {request.route->config->redirect->status};
}

// False: what came out is no path that could be passed on.
bool rewrite(const ClientInfo& client, Request& request) {
  const Snapshot::Route& route = *request.route;
  if (!route.config->rewrite || request.target.path == "*") return true;
  request.rewritten.clear();
  if (!route.rewrite) {
    policy::replace_prefix(request.rewritten, request.target.path, route.config->path, *route.config->rewrite);
    policy::append_query(request.rewritten, request.target.query);
    return true;
  }
  route.rewrite->expand(facts_of(request, client), request.rewritten);
  policy::append_query(request.rewritten, request.target.query);
  // Captures could be put together to dot segments.
  http::Buffer scratch;
  const auto target = http::canonical_path(request.rewritten.view(), scratch);
  if (!target) return false;
  if (scratch.empty()) return true;
  scratch.append(target->query);
  request.rewritten = std::move(scratch);
  return true;
}

std::optional<OwnAnswer> carry_out(WorkerContext& worker, const ClientInfo& client, Request& request) {
  const Snapshot::Route& route = *request.route;
  if (route.redirect) return redirect(client, request);
  if (route.config->respond) {
    const Respond& respond = *route.config->respond;
    return OwnAnswer{respond.status, respond.content_type, respond.body};
  }
  if (!rewrite(client, request)) return refuse(worker, Refusal::bad_target);
  return {};
}

}  // namespace

std::optional<OwnAnswer> admit(WorkerContext& worker, const ClientInfo& client, Waiter& waiter, Request& request) {
  Exchange& exchange = request.exchange;
  const http::RequestHead& head = exchange.request;
  const Snapshot& snapshot = *request.local->snapshot;
  find_client(client, request);
  request.id = http::request_id_for(head, request.head_bytes, request.client_is_trusted,
                                    worker.request_ids.next(request.id_bytes));
  request.client_persists = http::connection_persists(head);
  const http::BodyFraming framing = http::body_framing(head);

  const auto target = http::canonical_target(head, request.head_bytes, request.path_scratch);
  if (!target) worker.counters.bad_targets[static_cast<std::size_t>(target.error())].add();
  if (target) request.target = *target;
  const auto site_index = target ? snapshot.router.find_site(head.host.host()) : std::nullopt;
  const Snapshot::Site* const site = request.site = site_index ? &snapshot.sites[*site_index] : nullptr;
  const std::uint64_t body_max =
      site != nullptr ? site->config->request_body_max : snapshot.config.limits.request_body;
  exchange.begin_request(framing, body_max, http::expects_continue(head, request.head_bytes));

  if (policy::is_refused(head.method)) return refuse(worker, Refusal::method);
  if (!target) return refuse(worker, Refusal::bad_target);
  if (http::max_forwards_exhausted(head, request.head_bytes)) return OwnAnswer{200};
  if (http::has_gone_round(head, request.head_bytes, snapshot.config.node)) return refuse(worker, Refusal::loop);

  if (site != nullptr) find_route(snapshot.router, *site_index, request);
  const Guards& guards = guards_of(request);
  OwnAnswer own;
  if (is_guarding(guards) && !passes_guards(worker, guards, request, own)) return own;
  if (site == nullptr) return refuse(worker, Refusal::no_site);
  if (auto refused = check_security(worker, client, request, *site)) return refused;
  if (asks_for_password(guards) != nullptr) {
    if (auto refused = check_password(worker, guards, waiter, request)) return refused;
    if (request.password_check != nullptr) return {};
  }
  return admit_checked(worker, client, request);
}

std::optional<OwnAnswer> admit_checked(WorkerContext& worker, const ClientInfo& client, Request& request) {
  if (const auto check = std::move(request.password_check); check != nullptr) {
    check->waiter = nullptr;
    if (!check->is_right) return refuse(worker, Refusal::passwords_busy);
    if (!*check->is_right) return ask_for_password(worker, guards_of(request), request);
  }
  if (request.route == nullptr) {
    OwnAnswer own = refuse(worker, request.unrouted);
    own.allow = request.allow;
    return own;
  }
  const http::BodyFraming framing = http::body_framing(request.exchange.request);
  if (framing.framing == http::Framing::content_length && framing.length > request.site->config->request_body_max) {
    return refuse(worker, Refusal::body_too_large);
  }
  return carry_out(worker, client, request);
}

bool admit_connection(WorkerContext& worker, ClientInfo& client) {
  const Snapshot& snapshot = *worker.current().snapshot;
  const std::size_t max = snapshot.config.limits.connections_per_address;
  const IpAddress& peer = client.address.address;
  if (max == 0 || snapshot.trusts(peer)) return true;
  LimitTables& tables = *snapshot.limit_tables;
  policy::ConcurrencyTable::Hold hold;
  const std::uint64_t key = policy::limit_key(tables.seed, 0, peer);
  if (!tables.running.enter(key, static_cast<std::uint32_t>(max), hold)) {
    worker.counters.accept.too_many_of_address.add();
    return false;
  }
  client.counted = std::make_shared<policy::ConcurrencyTable::Hold>(std::move(hold));
  return true;
}

}  // namespace vipair::proxy
