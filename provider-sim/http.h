// HTTP/1.1 as a provider needs it: a bounded parser of request heads and a writer of whole responses.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::sim {

inline constexpr std::size_t kMaxHead = 64UL * 1024;
inline constexpr std::size_t kMaxHeaders = 128;
inline constexpr std::size_t kMaxBody = 32UL * 1024 * 1024;

// Header is one field line; both views point into the bytes that were parsed.
struct Header {
  std::string_view name;
  std::string_view value;
};

// Head is a request without its body. Its views live as long as the bytes given to ParseHead stay unmoved.
struct Head {
  std::string_view method;
  std::string_view path;  // of the target, without its query
  std::vector<Header> headers;
  std::size_t head_length = 0;  // bytes up to and with the empty line
  std::size_t body_length = 0;  // Content-Length; may exceed kMaxBody, which the caller answers with 413
  bool keep_alive = true;
  bool expects_continue = false;

  // Find returns the first header of that name, whatever its case; nothing where there is none.
  std::optional<std::string_view> Find(std::string_view name) const;
};

// HttpRefusal is a head that is no acceptable HTTP/1.1: the status to answer before closing, and why.
struct HttpRefusal {
  int status;
  base::Literal why;
};

// ParseHead reads the head at the start of `bytes` (RFC 9112, strictly: no bare LF, no folding, one
// Content-Length). Empty optional: the head is not complete yet. Refusals: 400, 411, 431, 501, 505.
std::expected<std::optional<Head>, HttpRefusal> ParseHead(std::string_view bytes);

// EqualIgnoringCase compares ASCII text as header names are compared.
bool EqualIgnoringCase(std::string_view left, std::string_view right);

// Reason is the standard phrase of a status code ("Too Many Requests"), "Unknown" for others.
std::string_view Reason(int status);

// Response is what goes into one answer; `headers` holds whole extra lines, each ending in CRLF.
struct Response {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view headers;
  std::string_view body;
  bool keep_alive = true;
};

// AppendResponse appends the answer's head and body to `out`.
void AppendResponse(std::string& out, const Response& response);

}  // namespace strongroom::sim
