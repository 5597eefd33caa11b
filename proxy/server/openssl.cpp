#include "proxy/server/openssl.h"

#include <openssl/err.h>

namespace vipair::proxy {

std::string openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown error";
}

}  // namespace vipair::proxy
