#include "proxy/server/metrics.h"

#include <cstdio>
#include <iterator>
#include <utility>

#include "common/runtime/metrics.h"
#include "proxy/server/health_status.h"
#include "proxy/server/tls_status.h"

namespace vipair::proxy {

namespace {

// "0.0025", "1", "10"
std::string bound_text(double milliseconds) {
  char text[24];
  std::snprintf(text, sizeof text, "%g", milliseconds / 1000);
  return text;
}

// A Prometheus histogram of each that has served something: cumulative buckets, their sum and count.
struct TrafficSample {
  MetricsWriter::Labels labels;
  Traffic::Sum sum;
};

void add_histogram(MetricsWriter& out, const std::string& name, std::string_view help,
                   const std::vector<TrafficSample>& samples) {
  out.family(name, "histogram", help);
  for (const TrafficSample& sample : samples) {
    MetricsWriter::Labels labels = sample.labels;
    labels.emplace_back("le", "");
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < sample.sum.durations.size(); ++i) {
      const std::string bound = i < kDurationBounds ? bound_text(kDurationBoundsMs[i]) : "+Inf";
      labels.back().second = bound;
      out.sample("_bucket", labels, count += sample.sum.durations[i]);
    }
    out.sample("_sum", sample.labels, sample.sum.seconds);
    out.sample("_count", sample.labels, count);
  }
}

template <class Value>
void add_counter(MetricsWriter& out, std::string_view name, std::string_view help,
                 const std::vector<TrafficSample>& samples, Value value) {
  out.family(name, "counter", help);
  for (const TrafficSample& sample : samples) out.sample(sample.labels, std::uint64_t{value(sample.sum)});
}

void add_traffic(MetricsWriter& out, const Snapshot& snapshot) {
  std::vector<TrafficSample> sites, upstreams;
  for (const Snapshot::Site& site : snapshot.sites) {
    TrafficSample sample{{{"site", site.config->name}}, site.traffic->sum()};
    if (sample.sum.requests > 0) sites.push_back(std::move(sample));
  }
  for (const Snapshot::Upstream& upstream : snapshot.upstreams) {
    TrafficSample sample{{{"site", upstream.site}, {"upstream", upstream.config->name}}, upstream.traffic->sum()};
    if (sample.sum.requests > 0) upstreams.push_back(std::move(sample));
  }
  out.family("vipair_proxy_site_responses_total", "counter", "Requests of a site by the class of their response.");
  for (const TrafficSample& sample : sites) {
    MetricsWriter::Labels labels = sample.labels;
    labels.emplace_back("class", "");
    for (std::size_t i = 0; i < std::size(kResponseClasses); ++i) {
      labels.back().second = kResponseClasses[i];
      if (i != 1) out.sample(labels, sample.sum.responses[i]);
    }
  }
  add_counter(out, "vipair_proxy_site_request_body_bytes_total", "Payload received from clients of a site.", sites,
              [](const Traffic::Sum& sum) { return sum.request_bytes; });
  add_counter(out, "vipair_proxy_site_response_body_bytes_total", "Payload sent to clients of a site.", sites,
              [](const Traffic::Sum& sum) { return sum.response_bytes; });
  add_histogram(out, "vipair_proxy_site_request_duration_seconds",
                "From a request's first byte to the last of its response.", sites);
  add_histogram(out, "vipair_proxy_upstream_response_duration_seconds",
                "From the request's being sent to a server to the head of its response.", upstreams);
}

void write_compression(const ServerView& view, MetricsWriter& out) {
  out.family("vipair_proxy_compressed_responses_total", "counter", "Responses compressed on their way, by coding.");
  for (const http::Coding coding : {http::Coding::gzip, http::Coding::brotli}) {
    out.sample({{"coding", http::to_string(coding)}},
               sum(
                   view, [coding](auto& c) -> auto& {
                     return c.compression.responses[static_cast<std::size_t>(coding)];
                   }));
  }
  auto single = [&](std::string_view name, std::string_view help, Counter CompressionCounters::*which) {
    out.family(name, "counter", help);
    out.sample({}, sum(
                       view, [which](auto& c) -> auto& { return c.compression.*which; }));
  };
  single("vipair_proxy_compression_input_bytes_total", "Payload of compressed responses before.",
         &CompressionCounters::bytes_in);
  single("vipair_proxy_compression_output_bytes_total", "Payload of compressed responses afterwards.",
         &CompressionCounters::bytes_out);
  single("vipair_proxy_compression_unavailable_total",
         "Responses left as they were, since too many were being compressed.", &CompressionCounters::unavailable);
}

// Every refusal of HTTP/2 by its reason; reasons that never came are left out.
void write_http2(const ServerView& view, MetricsWriter& out) {
  auto single = [&](std::string_view name, std::string_view type, std::string_view help,
                    Counter H2Counters::*which) {
    out.family(name, type, help);
    out.sample({}, sum(
                       view, [which](auto& c) -> auto& { return c.h2.*which; }));
  };
  auto by_reason = [&](std::string_view name, std::string_view help, auto which, auto name_of) {
    out.family(name, "counter", help);
    for (std::size_t i = 0; i < (WorkerCounters{}.h2.*which).size(); ++i) {
      const std::uint64_t count = sum(
          view, [=](auto& c) -> auto& { return (c.h2.*which)[i]; });
      if (count != 0) out.sample({{"reason", name_of(i)}}, count);
    }
  };
  auto code = [](std::size_t i) { return http::h2::to_string(static_cast<http::h2::ErrorCode>(i)); };
  single("vipair_proxy_http2_connections", "gauge", "HTTP/2 connections, to clients and to upstreams.",
         &H2Counters::connections);
  single("vipair_proxy_http2_streams_total", "counter", "Requests that clients began over HTTP/2.",
         &H2Counters::streams);
  single("vipair_proxy_http2_refused_streams_total", "counter", "Requests beyond limits.http2_streams.",
         &H2Counters::refused_streams);
  single("vipair_proxy_http2_stalled_total", "counter",
         "HTTP/2 connections ended because nothing was taken on them.", &H2Counters::stalled);
  by_reason("vipair_proxy_http2_goaways_sent_total", "HTTP/2 connections ended by us, by error code.",
            &H2Counters::goaways, code);
  by_reason("vipair_proxy_http2_resets_sent_total", "Streams reset by us, by error code.", &H2Counters::resets_sent,
            code);
  by_reason("vipair_proxy_http2_resets_received_total", "Streams reset by the peer, by error code.",
            &H2Counters::resets_received, code);
  by_reason("vipair_proxy_http2_floods_total", "HTTP/2 connections ended for too many frames of a kind.",
            &H2Counters::floods,
            [](std::size_t i) { return http::h2::to_string(static_cast<http::h2::Flood>(i)); });
  by_reason("vipair_proxy_http2_malformed_total", "Heads and trailers over HTTP/2 that were refused, by reason.",
            &H2Counters::malformed,
            [](std::size_t i) { return http::h2::to_string(static_cast<http::h2::HeadFault>(i)); });
}

void write_servers(const ServerView& view, MetricsWriter& out) {
  auto per_server = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    out.family(name, type, help);
    for (const Snapshot::Upstream& upstream : view.snapshot->upstreams) {
      for (const auto& server : upstream.servers) {
        out.sample({{"site", upstream.site}, {"upstream", upstream.config->name}, {"server", server->text}},
                   std::uint64_t{value(*server)});
      }
    }
  };
  per_server("vipair_proxy_server_up", "gauge", "1 while requests are sent to the server.",
             [&](const Server& server) { return is_up(server, view.now) ? 1u : 0u; });
  per_server("vipair_proxy_server_active", "gauge", "Connections to the server with a running request.",
             [](const Server& server) { return sum(server.slots, &Server::Slot::active); });
  per_server("vipair_proxy_server_idle", "gauge", "Idle connections to the server.",
             [](const Server& server) { return sum(server.slots, &Server::Slot::idle); });
  per_server("vipair_proxy_server_requests_total", "counter", "Requests sent to the server.",
             [](const Server& server) { return sum(server.slots, &Server::Slot::requests); });
  per_server("vipair_proxy_server_connects_total", "counter", "Connections opened to the server.",
             [](const Server& server) { return sum(server.slots, &Server::Slot::connects); });
  per_server("vipair_proxy_server_failures_total", "counter", "Attempts on the server that failed.",
             [](const Server& server) { return sum(server.slots, &Server::Slot::failures); });

  using Numbers = UpstreamNumbers::Slot;
  auto per_upstream = [&](std::string_view name, std::string_view type, std::string_view help,
                          Counter Numbers::*counter) {
    out.family(name, type, help);
    for (const Snapshot::Upstream& upstream : view.snapshot->upstreams) {
      out.sample({{"site", upstream.site}, {"upstream", upstream.config->name}},
                 sum(upstream.numbers->slots, counter));
    }
  };
  per_upstream("vipair_proxy_upstream_waiting", "gauge", "Requests that wait for a server with room.",
               &Numbers::waiting);
  per_upstream("vipair_proxy_upstream_queue_full_total", "counter", "Requests refused because the queue was full.",
               &Numbers::queue_full);
  per_upstream("vipair_proxy_upstream_queue_timeouts_total", "counter", "Requests that waited for too long.",
               &Numbers::queue_timed_out);
  per_upstream("vipair_proxy_upstream_retries_denied_total", "counter", "Retries that the budget did not allow.",
               &Numbers::retries_denied);
  per_upstream("vipair_proxy_upstream_unknown_cookies_total", "counter",
               "Sticky cookies that name no server of ours: forged, or its server is gone.",
               &Numbers::cookies_unknown);
}

}  // namespace

std::string metrics_text(const ServerView& view) {
  MetricsWriter out;
  auto single = [&](std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    out.family(name, type, help);
    out.sample({}, value);
  };
  out.family("vipair_proxy_info", "gauge", "1, with the version and the node's name.");
  out.sample({{"version", VIPAIR_VERSION}, {"node", view.snapshot->config.node}}, std::uint64_t{1});
  single("vipair_proxy_uptime_seconds", "gauge", "Time since the start.",
         static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(view.uptime).count()));
  single("vipair_proxy_config_generation", "gauge", "Configurations since the start, the first one included.",
         view.snapshot->generation);
  single("vipair_proxy_reloads_total", "counter", "Reloads that were carried out.", view.reloads);
  single("vipair_proxy_reloads_refused_total", "counter", "Reloads that were refused.", view.reloads_refused);
  single("vipair_proxy_connections", "gauge", "Client connections.",
         sum(
             view, [](auto& c) -> auto& { return c.connections; }));
  single("vipair_proxy_accepted_total", "counter", "Client connections accepted.",
         sum(
             view, [](auto& c) -> auto& { return c.accept.accepted; }));
  out.family("vipair_proxy_accept_failures_total", "counter", "Accepts that failed or were put off, by reason.");
  out.sample({{"reason", "connection"}}, sum(
                                             view, [](auto& c) -> auto& { return c.accept.failed; }));
  out.sample({{"reason", "out_of_files"}}, sum(
                                               view, [](auto& c) -> auto& { return c.accept.out_of_files; }));
  out.sample({{"reason", "connections_per_address"}},
             sum(
                 view, [](auto& c) -> auto& { return c.accept.too_many_of_address; }));
  out.sample({{"reason", "connection_limit"}}, sum(
                                                   view, [](auto& c) -> auto& { return c.accept.at_limit; }));

  out.family("vipair_proxy_responses_total", "counter",
             "Requests by the class of their response; none: the client left, 1xx: 101 (Switching Protocols).");
  for (std::size_t i = 0; i < std::size(kResponseClasses); ++i) {
    out.sample({{"class", kResponseClasses[i]}}, sum(
                                                     view, [i](auto& c) -> auto& { return c.responses[i]; }));
  }
  single("vipair_proxy_tunnels", "gauge", "Tunnels that are open: upgraded requests and tcp connections.",
         sum(
             view, [](auto& c) -> auto& { return c.tunnels.running; }));
  single("vipair_proxy_upgrades_total", "counter", "Requests that became tunnels.",
         sum(
             view, [](auto& c) -> auto& { return c.tunnels.upgrades; }));
  single("vipair_proxy_tcp_connections_total", "counter",
         "Connections of tcp listeners that were joined with a server.",
         sum(
             view, [](auto& c) -> auto& { return c.tunnels.connections; }));
  single("vipair_proxy_unknown_server_names_total", "counter", "TLS clients that asked for a name nobody takes.",
         sum(
             view, [](auto& c) -> auto& { return c.tunnels.unknown_names; }));
  out.family("vipair_proxy_bad_client_hellos_total", "counter",
             "Clients whose first message could not be read for a name, by reason.");
  for (std::size_t i = 0; i < policy::kClientHelloErrors; ++i) {
    out.sample({{"reason", policy::to_string(static_cast<policy::ClientHelloError>(i))}},
               sum(
                   view, [i](auto& c) -> auto& { return c.tunnels.bad_hellos[i]; }));
  }
  single("vipair_proxy_proxy_headers_total", "counter", "PROXY headers that were believed.",
         sum(
             view, [](auto& c) -> auto& { return c.proxy_headers.accepted; }));
  out.family("vipair_proxy_refused_proxy_headers_total", "counter",
             "Connections refused where a PROXY header is wanted, by reason.");
  out.sample({{"reason", "untrusted"}}, sum(
                                            view, [](auto& c) -> auto& { return c.proxy_headers.untrusted; }));
  out.sample({{"reason", "timed_out"}}, sum(
                                            view, [](auto& c) -> auto& { return c.proxy_headers.timed_out; }));
  for (std::size_t i = 0; i < policy::kProxyHeaderErrors; ++i) {
    out.sample({{"reason", policy::to_string(static_cast<policy::ProxyHeaderError>(i))}},
               sum(
                   view, [i](auto& c) -> auto& { return c.proxy_headers.refused[i]; }));
  }
  single("vipair_proxy_retries_total", "counter", "Attempts on an upstream after the first.",
         sum(
             view, [](auto& c) -> auto& { return c.retries; }));
  single("vipair_proxy_request_body_bytes_total", "counter", "Payload received from clients.",
         sum(
             view, [](auto& c) -> auto& { return c.bytes_from_clients; }));
  single("vipair_proxy_response_body_bytes_total", "counter", "Payload sent to clients.",
         sum(
             view, [](auto& c) -> auto& { return c.bytes_to_clients; }));

  out.family("vipair_proxy_refused_heads_total", "counter", "Request heads that were refused, by reason.");
  for (std::size_t i = 0; i < http::kHeadErrors; ++i) {
    out.sample({{"reason", http::to_string(static_cast<http::HeadError>(i))}},
               sum(
                   view, [i](auto& c) -> auto& { return c.refused[i]; }));
  }
  for (std::size_t i = 0; i < http::kTargetErrors; ++i) {
    out.sample({{"reason", http::to_string(static_cast<http::TargetError>(i))}},
               sum(
                   view, [i](auto& c) -> auto& { return c.bad_targets[i]; }));
  }
  out.family("vipair_proxy_refused_requests_total", "counter", "Requests that were not passed on, by reason.");
  for (std::size_t i = 0; i < policy::kRefusals; ++i) {
    out.sample({{"reason", policy::to_string(static_cast<policy::Refusal>(i))}},
               sum(
                   view, [i](auto& c) -> auto& { return c.refusals[i]; }));
  }
  out.family("vipair_proxy_failures_total", "counter",
             "Attempts and exchanges that failed, by side, stage and cause.");
  for (std::size_t side = 0; side < kSides; ++side) {
    for (std::size_t stage = 0; stage < kStages; ++stage) {
      for (std::size_t cause = 0; cause < kCauses; ++cause) {
        const std::uint64_t count = sum(
            view, [=](auto& c) -> auto& { return c.failed[side][stage][cause]; });
        if (count == 0) continue;  // most of the combinations cannot happen
        out.sample({{"side", policy::to_string(static_cast<policy::Side>(side))},
                    {"stage", policy::to_string(static_cast<policy::Stage>(stage))},
                    {"cause", policy::to_string(static_cast<policy::Cause>(cause))}},
                   count);
      }
    }
  }

  write_compression(view, out);
  write_http2(view, out);

  write_servers(view, out);
  add_tls_metrics(out, view);
  add_traffic(out, *view.snapshot);

  add_health_metrics(out, view);
  single("vipair_proxy_access_log_lines_total", "counter", "Lines written to the access log.",
         view.log_lines_written);
  single("vipair_proxy_access_log_lost_total", "counter", "Lines lost because the log could not keep up.",
         view.log_lines_lost + sum(
                                   view, [](auto& c) -> auto& { return c.log_lines_lost; }));
  single("vipair_proxy_gate_connected", "gauge", "1 while the agent listens.", view.gate_connected ? 1 : 0);
  return out.text();
}

}  // namespace vipair::proxy
