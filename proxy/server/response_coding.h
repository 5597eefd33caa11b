#pragma once
// Which content coding a response leaves in: the site's settings, what the client takes and what the response is
// (proxy/http/compression.h). Answers of our own are not compressed: they are small.

#include "proxy/http/forwarding.h"
#include "proxy/server/body_encoder.h"
#include "proxy/server/request.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

// The head of the response has come, and the site compresses. Says in `changes` what becomes of that head; the body
// has to go through the encoder, unless there is none.
EncoderPool::Encoder choose_coding(WorkerContext& worker, const Request& request, http::ResponseChanges& changes);

}  // namespace vipair::proxy
