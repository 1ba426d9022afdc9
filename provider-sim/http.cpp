#include "provider-sim/http.h"

#include <algorithm>
#include <limits>

namespace strongroom::sim {
namespace {

using base::Literal;

std::unexpected<HttpRefusal> Refuse(int status, Literal why) {
  return std::unexpected(HttpRefusal{status, why});
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsAlnum(char c) {
  const char lower = Lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return IsAlnum(c) || kMarks.find(c) != std::string_view::npos;
  });
}

// Field values may hold any byte but controls other than tab (RFC 9110, 5.5).
bool IsFieldValue(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

bool IsTarget(std::string_view text) {
  return !text.empty() && text.front() == '/' &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// HasListItem looks for one item in a comma-separated header value.
bool HasListItem(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (EqualIgnoringCase(Trim(list.substr(0, comma)), item)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

std::expected<void, HttpRefusal> ReadRequestLine(std::string_view line, Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Refuse(400, "the request line is malformed");
  head.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(head.method) || !IsTarget(target)) return Refuse(400, "the request line is malformed");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return Refuse(505, "only HTTP/1.1 is spoken here");
  head.path = target.substr(0, target.find('?'));
  head.keep_alive = version == "HTTP/1.1";
  return {};
}

// A length past any integer is still a length: it saturates, and is then refused as too large.
std::optional<std::size_t> ReadLength(std::string_view digits) {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  if (digits.empty()) return std::nullopt;
  std::size_t length = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::size_t>(c - '0');
    length = length > (kMost - digit) / 10 ? kMost : length * 10 + digit;
  }
  return length;
}

std::expected<void, HttpRefusal> ReadHeader(std::string_view line, Head& head) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Refuse(400, "a header line has no colon");
  const Header header{line.substr(0, colon), Trim(line.substr(colon + 1))};
  if (!IsToken(header.name)) return Refuse(400, "a header name is malformed");
  if (!IsFieldValue(header.value)) return Refuse(400, "a header value holds a control character");
  if (head.headers.size() == kMaxHeaders) return Refuse(431, "too many header fields");
  head.headers.push_back(header);
  return {};
}

// Framing decides where this request ends and the next begins, so nothing about it may be ambiguous.
std::expected<void, HttpRefusal> ReadFraming(Head& head) {
  bool has_length = false;
  for (const Header& header : head.headers) {
    if (EqualIgnoringCase(header.name, "transfer-encoding")) {
      return Refuse(501, "Transfer-Encoding is not supported: send Content-Length");
    }
    if (EqualIgnoringCase(header.name, "content-length")) {
      if (has_length) return Refuse(400, "more than one Content-Length");
      const std::optional<std::size_t> length = ReadLength(header.value);
      if (!length) return Refuse(400, "Content-Length is no number");
      head.body_length = *length;
      has_length = true;
    }
    if (EqualIgnoringCase(header.name, "connection")) {
      if (HasListItem(header.value, "close")) head.keep_alive = false;
    }
    if (EqualIgnoringCase(header.name, "expect")) {
      head.expects_continue = EqualIgnoringCase(header.value, "100-continue");
    }
  }
  if (!has_length && (head.method == "POST" || head.method == "PUT" || head.method == "PATCH")) {
    return Refuse(411, "a body needs a Content-Length");
  }
  return {};
}

}  // namespace

bool EqualIgnoringCase(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         std::ranges::equal(left, right, [](char a, char b) { return Lower(a) == Lower(b); });
}

std::optional<std::string_view> Head::Find(std::string_view name) const {
  for (const Header& header : headers) {
    if (EqualIgnoringCase(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::expected<std::optional<Head>, HttpRefusal> ParseHead(std::string_view bytes) {
  const std::string_view window = bytes.substr(0, kMaxHead);
  const std::size_t end = window.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxHead) return Refuse(431, "the request head is over 64 KiB");
    // Garbage need not go on to 64 KiB before it is refused: a request line this long is no request.
    if (window.substr(0, 8192).find('\n') == std::string_view::npos && window.size() >= 8192) {
      return Refuse(400, "the request line is malformed");
    }
    return std::optional<Head>();
  }
  Head head;
  head.headers.reserve(16);
  head.head_length = end + 4;
  std::string_view rest = window.substr(0, end);
  bool request_line = true;
  while (request_line || !rest.empty()) {
    const std::size_t stop = std::min(rest.find("\r\n"), rest.size());
    const std::string_view line = rest.substr(0, stop);
    rest.remove_prefix(std::min(stop + 2, rest.size()));
    if (auto read = request_line ? ReadRequestLine(line, head) : ReadHeader(line, head); !read) {
      return std::unexpected(read.error());
    }
    request_line = false;
  }
  if (auto framed = ReadFraming(head); !framed) return std::unexpected(framed.error());
  return std::optional<Head>(std::move(head));
}

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
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
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
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
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

void AppendResponse(std::string& out, const Response& response) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(Reason(response.status));
  out.append("\r\ncontent-type: ").append(response.content_type);
  out.append("\r\ncontent-length: ").append(std::to_string(response.body.size())).append("\r\n");
  if (!response.keep_alive) out.append("connection: close\r\n");
  out.append(response.headers).append("\r\n").append(response.body);
}

}  // namespace strongroom::sim
