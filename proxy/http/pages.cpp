#include "proxy/http/pages.h"

namespace vipair::http {
namespace {

std::string_view explanation(int status) {
  switch (status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return "What was asked for is at another address.";
    case 400:
      return "The request could not be understood. It breaks a rule of HTTP.";
    case 401:
      return "A user name and a password are needed here.";
    case 403:
      return "This client may not come in here.";
    case 404:
      return "There is nothing at this address.";
    case 405:
      return "This method is not allowed here.";
    case 408:
      return "The request took too long to arrive.";
    case 413:
      return "The request's content is larger than this site accepts.";
    case 414:
      return "The address of the request is longer than this site accepts.";
    case 417:
      return "An expectation of the request cannot be met.";
    case 421:
      return "This connection does not serve the site that was asked for.";
    case 429:
      return "Too many requests. Please try again in a moment.";
    case 431:
      return "The header of the request is larger than this site accepts. Deleting this site's cookies may help.";
    case 500:
      return "Something went wrong on this side.";
    case 501:
      return "The request asks for something that is not supported here.";
    case 502:
      return "The server behind this site gave no valid answer. Please try again in a moment.";
    case 503:
      return "This site cannot serve the request at the moment. Please try again in a moment.";
    case 504:
      return "The server behind this site did not answer in time. Please try again in a moment.";
    case 505:
      return "This version of HTTP is not supported here.";
    case 508:
      return "The request came back here again and again. A server behind this site is set up to be this one.";
    default:
      return "The request could not be served.";
  }
}

// The id is ours or a trusted proxy's, and still untrusted text as far as HTML is concerned.
void append_escaped(Buffer& out, std::string_view text) {
  for (char c : text) {
    switch (c) {
      case '&':
        out.append("&amp;");
        break;
      case '<':
        out.append("&lt;");
        break;
      case '>':
        out.append("&gt;");
        break;
      case '"':
        out.append("&quot;");
        break;
      case '\'':
        out.append("&#39;");
        break;
      default:
        out.append(c);
    }
  }
}

void append_head(Buffer& out, int status, const PageContext& context) {
  out.append("HTTP/1.1 ");
  out.append_number(static_cast<std::uint64_t>(status));
  out.append(' ');
  out.append(reason_phrase(status));
  out.append("\r\n");
  if (!context.date.empty()) {
    out.append("Date: ");
    out.append(context.date);
    out.append("\r\n");
  }
  if (!context.request_id.empty()) {
    out.append("X-Request-ID: ");
    out.append(context.request_id);
    out.append("\r\n");
  }
  if (context.closes) {
    out.append("Connection: close\r\n");
  } else if (context.minor_version == 0) {
    out.append("Connection: keep-alive\r\n");
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 508:
      return "Loop Detected";
    default:
      return "";
  }
}

void error_page(Buffer& out, int status, const PageContext& context) {
  Buffer page(1024);
  page.append("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>");
  page.append_number(static_cast<std::uint64_t>(status));
  page.append(' ');
  page.append(reason_phrase(status));
  page.append(
      "</title>\n<style>body { font: 1rem/1.5 sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem "
      "}</style>\n<h1>");
  page.append(reason_phrase(status));
  page.append("</h1>\n<p>");
  page.append(explanation(status));
  page.append("</p>\n<p><small>Status ");
  page.append_number(static_cast<std::uint64_t>(status));
  if (!context.request_id.empty()) {
    page.append(", request ");
    append_escaped(page, context.request_id);
  }
  page.append("</small></p>\n</html>\n");

  append_head(out, status, context);
  if (status == 405) {
    out.append("Allow: ");
    out.append(context.allow);
    out.append("\r\n");
  }
  out.append("Content-Type: text/html; charset=utf-8\r\n");
  if (status >= 400) out.append("Cache-Control: no-store\r\n");  // how long a redirect holds, its status says
  out.append("Content-Length: ");
  out.append_number(page.size());
  out.append("\r\n\r\n");
  if (!context.is_head) out.append(page.view());
}

void fixed_answer(Buffer& out, int status, const PageContext& context, std::string_view content_type,
                  std::string_view content) {
  append_head(out, status, context);
  const bool has_content = status != 204 && status != 304;
  if (has_content && !content.empty()) {
    out.append("Content-Type: ");
    out.append(content_type);
    out.append("\r\n");
  }
  if (has_content) {
    out.append("Content-Length: ");
    out.append_number(content.size());
    out.append("\r\n");
  }
  out.append("\r\n");
  if (has_content && !context.is_head) out.append(content);
}

void options_answer(Buffer& out, const PageContext& context) {
  append_head(out, 200, context);
  out.append("Allow: ");
  out.append(kAllowedMethods);
  out.append("\r\nContent-Length: 0\r\n\r\n");
}

}  // namespace vipair::http
