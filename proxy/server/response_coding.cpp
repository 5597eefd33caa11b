#include "proxy/server/response_coding.h"

namespace vipair::proxy {

EncoderPool::Encoder choose_coding(WorkerContext& worker, const Request& request, http::ResponseChanges& changes) {
  const Compression& settings = *request.site->compression;
  const http::RequestHead& asked = request.exchange.request;
  const http::ResponseHead& response = request.exchange.response;
  const char* const bytes = request.exchange.upstream_in.data();
  if (http::confirms_a_coded_response(asked, request.head_bytes, response, bytes)) {
    changes.weakens_etag = changes.varies_by_coding = true;
    return {};
  }
  if (!http::is_compressible(response, bytes, settings.rules)) return {};
  changes.varies_by_coding = true;
  const http::Coding coding = http::preferred_coding(asked, request.head_bytes, settings.offered());
  if (coding == http::Coding::identity) return {};
  if (asked.method == http::Method::head) {  // as it would be for GET
    changes.coding = coding;
    return {};
  }
  CompressionCounters& counters = worker.counters.compression;
  EncoderPool::Encoder encoder =
      worker.encoders.take(coding, coding == http::Coding::gzip ? settings.gzip : settings.brotli);
  if (encoder == nullptr) {
    counters.unavailable.add();
    return {};
  }
  counters.responses[static_cast<std::size_t>(coding)].add();
  changes.coding = coding;
  return encoder;
}

}  // namespace vipair::proxy
