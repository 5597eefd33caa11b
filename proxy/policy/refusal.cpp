#include "proxy/policy/refusal.h"

namespace vipair::policy {

const char* to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::bad_target:
      return "bad_target";
    case Refusal::no_site:
      return "no_site";
    case Refusal::no_route:
      return "no_route";
    case Refusal::pattern_given_up:
      return "pattern_given_up";
    case Refusal::method:
      return "method";
    case Refusal::body_too_large:
      return "body_too_large";
    case Refusal::address_denied:
      return "address_denied";
    case Refusal::unauthorized:
      return "unauthorized";
    case Refusal::passwords_busy:
      return "passwords_busy";
    case Refusal::rate:
      return "rate";
    case Refusal::running_requests:
      return "running_requests";
    case Refusal::https_only:
      return "https_only";
    case Refusal::misdirected:
      return "misdirected";
    case Refusal::loop:
      return "loop";
  }
  return "unknown";
}

int status_for(Refusal refusal) {
  switch (refusal) {
    case Refusal::bad_target:
    case Refusal::pattern_given_up:
      return 400;
    case Refusal::no_site:
    case Refusal::no_route:
      return 404;
    case Refusal::method:
      return 405;
    case Refusal::body_too_large:
      return 413;
    case Refusal::address_denied:
    case Refusal::https_only:
      return 403;
    case Refusal::unauthorized:
      return 401;
    case Refusal::passwords_busy:
      return 503;
    case Refusal::rate:
    case Refusal::running_requests:
      return 429;
    case Refusal::misdirected:
      return 421;
    case Refusal::loop:
      return 508;
  }
  return 500;
}

}  // namespace vipair::policy
