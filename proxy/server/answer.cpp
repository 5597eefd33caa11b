#include "proxy/server/answer.h"

#include "proxy/http/pages.h"

namespace vipair::proxy {

namespace {

// A request whose end was not seen cannot be followed by another. What follows a CONNECT may be meant for the
// tunnel that its sender hopes for.
void settle_connection(const WorkerContext& worker, Request& request, int status) {
  Exchange& exchange = request.exchange;
  const bool body_was_skipped =
      request.head_bytes != nullptr && exchange.request.method != http::Method::connect && exchange.skip_body();
  request.client_persists = body_was_skipped && request.client_persists && !worker.announces_close && status != 408;
  request.must_linger = !body_was_skipped;
}

// Of the innermost level that this request reached.
const http::HeaderRules& rules_of(const Request& request) {
  if (request.route != nullptr) return request.route->response_headers;
  if (request.site != nullptr) return request.site->response_headers;
  return request.local->snapshot->response_headers;
}

// nullptr: there is none for this status.
const ErrorPage* page_of_the_operator(const Request& request, int status) {
  if (request.site != nullptr) {
    if (const ErrorPage* page = find_error_page(request.site->config->error_pages, status)) return page;
  }
  return find_error_page(request.local->snapshot->config.error_pages, status);
}

}  // namespace

void answer(WorkerContext& worker, const ClientInfo& client, Request& request, const OwnAnswer& answer) {
  Exchange& exchange = request.exchange;
  const bool has_head = request.head_bytes != nullptr;
  settle_connection(worker, request, answer.status);
  request.status = answer.status;
  if (request.id.empty()) request.id = worker.request_ids.next(request.id_bytes);
  http::PageContext page;
  page.is_head = has_head && exchange.request.method == http::Method::head;
  page.minor_version = has_head ? exchange.request.minor_version : std::uint8_t{1};
  page.closes = !request.client_persists;
  page.date = worker.date();
  page.request_id = request.id;
  if (!answer.allow.empty()) page.allow = answer.allow;
  exchange.client_head.clear();
  const ErrorPage* const own_page =
      answer.content_type.empty() ? page_of_the_operator(request, answer.status) : nullptr;
  if (own_page != nullptr) {
    request.answer_fields.append("Cache-Control: no-store\r\n");
    if (answer.status == 405) {
      request.answer_fields.append("Allow: ");
      request.answer_fields.append(page.allow);
      request.answer_fields.append("\r\n");
    }
    http::fixed_answer(exchange.client_head, answer.status, page, own_page->content_type, own_page->content);
  } else if (!answer.content_type.empty()) {
    http::fixed_answer(exchange.client_head, answer.status, page, answer.content_type, answer.body);
  } else if (answer.status == 200) {
    http::options_answer(exchange.client_head, page);
  } else {
    http::error_page(exchange.client_head, answer.status, page);
  }
  rules_of(request).append_fields(facts_of(request, client), request.answer_fields);
  const std::string_view whole = exchange.client_head.view();
  const std::size_t fields_end = whole.find("\r\n\r\n") + 2;
  exchange.to_client.clear();
  exchange.to_client.add(whole.substr(0, fields_end));
  exchange.to_client.add(request.answer_fields.view());
  exchange.to_client.add(whole.substr(fields_end));
  request.deadline = worker.scheduler.now() + request.local->snapshot->config.timeouts.write_idle;
  request.state = Request::State::answering;
}

}  // namespace vipair::proxy
