#include "proxy/http/path_mapping.h"

#include <algorithm>

#include "proxy/http/chars.h"
#include "proxy/http/host.h"

namespace vipair::http {

namespace {

bool starts_with(std::string_view text, std::string_view lower) {
  return equal_ignoring_case(text.substr(0, lower.size()), lower);
}

std::string_view without_last_slash(std::string_view prefix) {
  return prefix.substr(0, prefix.size() - (prefix.ends_with('/') ? 1 : 0));
}

// A path, with a query and a fragment behind it or none. False, and nothing is appended: it stays as it is.
bool append_mapped_path(Buffer& out, std::string_view path, const PathMapping& mapping) {
  const std::string_view inside = without_last_slash(mapping.inside);
  if (path.substr(0, inside.size()) != inside) return false;
  const std::string_view rest = path.substr(inside.size());
  const bool begins_a_segment = rest.empty() || rest.front() == '/' || rest.front() == '?' || rest.front() == '#';
  if (!begins_a_segment) return false;
  const std::size_t before = out.size();
  out.append(without_last_slash(mapping.outside));
  if (mapping.outside.ends_with('/') && !rest.starts_with('/')) out.append('/');
  out.append(rest);
  const std::string_view mapped = out.view().substr(before);
  // Browsers take a backslash for a slash.
  const bool leads_elsewhere = mapped.size() > 1 && (mapped[1] == '/' || mapped[1] == '\\');
  if (leads_elsewhere) out.shrink(before);
  return !leads_elsewhere;
}

// RFC 6265 section 5.1.4.
bool path_matches(std::string_view request, std::string_view cookie) {
  return request.starts_with(cookie) &&
         (request.size() == cookie.size() || cookie.ends_with('/') || request[cookie.size()] == '/');
}

// Of the scheme of an http or https URL; 0: of another one.
std::uint16_t default_port(std::string_view scheme) {
  return equal_ignoring_case(scheme, "http") ? 80 : equal_ignoring_case(scheme, "https") ? 443 : 0;
}

enum class Whose : std::uint8_t { clients, servers, others };

// Whose address a URL names. One that names no port means the client's host whatever its scheme is: a server behind
// us need not know that the client speaks TLS. The client's host with the server's port is the server, too.
Whose owner_of(std::string_view authority, std::string_view scheme, const ExchangeFacts& facts) {
  Authority said, asked, server;
  if (!said.assign(authority)) return Whose::others;
  auto port_named = [](const Authority& of, std::uint16_t usual) {
    return of.port() == usual ? std::uint16_t{0} : of.port();
  };
  auto port_meant = [](const Authority& of, std::uint16_t usual) { return of.port() == 0 ? usual : of.port(); };
  const std::uint16_t usual = default_port(scheme);
  const bool is_clients_host = asked.assign(facts.authority) && said.host() == asked.host();
  if (is_clients_host && port_named(said, usual) == port_named(asked, default_port(facts.scheme)))
    return Whose::clients;
  if (!server.assign(facts.upstream_address) || port_meant(said, usual) != port_meant(server, usual))
    return Whose::others;
  return is_clients_host || said.host() == server.host() ? Whose::servers : Whose::others;
}

}  // namespace

void append_mapped_location(Buffer& out, std::string_view value, const PathMapping& mapping,
                            const ExchangeFacts& facts) {
  const std::size_t before = out.size();
  const std::size_t slashes = value.find("//");
  const bool has_host = slashes == 0 || starts_with(value, "http://") || starts_with(value, "https://");
  if (!has_host) {
    if (!value.starts_with('/') || !append_mapped_path(out, value, mapping)) out.append(value);
    return;
  }
  const std::string_view scheme = slashes == 0 ? facts.scheme : value.substr(0, slashes - 1);
  const std::size_t end = std::min(value.find_first_of("/?#", slashes + 2), value.size());
  switch (owner_of(value.substr(slashes + 2, end - slashes - 2), scheme, facts)) {
    case Whose::clients:
      out.append(value.substr(0, end));
      break;
    case Whose::servers:
      break;
    case Whose::others:
      out.append(value);
      return;
  }
  const std::string_view path = value.substr(end);
  if (append_mapped_path(out, path.empty() ? "/" : path, mapping)) return;
  out.shrink(before);
  out.append(value);
}

// "5; url=/v1/x", and what else browsers take for it: quotes, blanks, a comma.
void append_mapped_refresh(Buffer& out, std::string_view value, const PathMapping& mapping,
                           const ExchangeFacts& facts) {
  std::size_t at = std::min(value.find_first_of(";,"), value.size());
  auto skip_blanks = [&] { at = std::min(value.find_first_not_of(" \t", at), value.size()); };
  if (at < value.size()) ++at;
  skip_blanks();
  if (starts_with(value.substr(at), "url")) {
    at += 3;
    skip_blanks();
    if (at < value.size() && value[at] == '=') {
      ++at;
      skip_blanks();
      const char quote = at < value.size() && (value[at] == '"' || value[at] == '\'') ? value[at++] : '\0';
      const std::size_t end = quote == '\0' ? value.size() : std::min(value.find(quote, at), value.size());
      out.append(value.substr(0, at));
      append_mapped_location(out, value.substr(at, end - at), mapping, facts);
      out.append(value.substr(end));
      return;
    }
  }
  out.append(value);
}

void append_mapped_cookie(Buffer& out, std::string_view value, const PathMapping& mapping) {
  // The client sends it along with something that it asks of this route.
  auto comes_back = [outside = mapping.outside](std::string_view path) {
    return path_matches(outside, path) || path_matches(path, outside);
  };
  bool is_first = true;
  while (true) {
    const std::size_t end = std::min(value.find(';'), value.size());
    const std::string_view attribute = value.substr(0, end);
    const std::size_t equals = std::min(attribute.find('='), attribute.size());
    const std::string_view path = trim_blanks(attribute.substr(std::min(equals + 1, attribute.size())));
    const bool is_path = !is_first && equal_ignoring_case(trim_blanks(attribute.substr(0, equals)), "path") &&
                         path.starts_with('/') && !comes_back(path);
    const std::size_t before = out.size();
    if (is_path) out.append(attribute.substr(0, equals + 1));
    if (!is_path || !append_mapped_path(out, path, mapping)) {
      out.shrink(before);
      out.append(attribute);
    }
    if (end == value.size()) return;
    out.append(';');
    value.remove_prefix(end + 1);
    is_first = false;
  }
}

}  // namespace vipair::http
