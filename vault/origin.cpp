#include "vault/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace strongroom::vault {
namespace {

constexpr std::size_t kMostBytes = 200;  // ENDPOINT and ORIGIN are V200
constexpr std::size_t kMostHost = 253, kMostLabel = 63;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
char ToLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMostLabel && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
}

// Some resolvers take "0x7f.1" or "2130706433" for an IPv4 address (WHATWG URL, "ends in a number"): such a
// host must be plain dotted decimal or nothing, or we and curl would disagree on where a key goes.
bool EndsInNumber(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return IsDigit(last.front()) && (last.starts_with("0x") || std::all_of(last.begin(), last.end(), IsDigit));
}

// Lower-case letters, digits, '-' and '.' only: no IDN, no percent, no trailing dot.
Result<std::string> CanonicalName(std::string_view raw) {
  std::string host(raw);
  std::transform(host.begin(), host.end(), host.begin(), ToLower);
  if (host.empty() || host.size() > kMostHost)
    return Fail(Code::kInvalidArgument, "an endpoint needs a host name");
  for (std::string_view rest = host;;) {
    const std::size_t dot = rest.find('.');
    if (!IsLabel(rest.substr(0, dot))) {
      return Fail(Code::kInvalidArgument,
                  "an endpoint's host is of ASCII letters, digits, - and single dots only");
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  in_addr address{};
  if (EndsInNumber(host) && inet_pton(AF_INET, host.c_str(), &address) != 1) {
    return Fail(Code::kInvalidArgument, "an endpoint's IPv4 address is written as four decimal numbers");
  }
  return host;
}

Result<std::string> CanonicalIpv6(std::string_view raw) {
  in6_addr address{};
  char text[INET6_ADDRSTRLEN] = {};
  if (inet_pton(AF_INET6, std::string(raw).c_str(), &address) != 1 ||
      inet_ntop(AF_INET6, &address, text, sizeof text) == nullptr) {
    return Fail(Code::kInvalidArgument, "an endpoint's address in brackets must be IPv6, without a zone");
  }
  return std::string(text);
}

Result<std::uint16_t> ParsePort(std::string_view text) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || text.front() == '0' || error != std::errc() || end != text.data() + text.size() ||
      port > 65535) {
    return Fail(Code::kInvalidArgument, "an endpoint's port is a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

// Everything a URL parser may read in two ways is refused before the URL is taken apart.
Result<void> CheckCharacters(std::string_view endpoint) {
  if (endpoint.size() > kMostBytes) return Fail(Code::kInvalidArgument, "an endpoint is at most 200 bytes");
  for (const char c : endpoint) {
    if (c <= ' ' || c > '~' || c == '\\') {
      return Fail(Code::kInvalidArgument, "an endpoint is printable ASCII without spaces or backslashes");
    }
    if (c == '?' || c == '#') return Fail(Code::kInvalidArgument, "an endpoint has no query and no fragment");
  }
  return {};
}

}  // namespace

Result<Origin> Origin::OfEndpoint(std::string_view endpoint) {
  TRY(CheckCharacters(endpoint));
  const std::size_t scheme_end = endpoint.find("://");
  std::string scheme(endpoint.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), ToLower);
  Origin origin;
  origin.https_ = scheme == "https";
  if (!origin.https_ && scheme != "http")
    return Fail(Code::kInvalidArgument, "an endpoint begins with https:// or http://");

  std::string_view authority = endpoint.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find('/'));
  if (authority.find('@') != std::string_view::npos) {
    return Fail(Code::kInvalidArgument, "an endpoint has no user name or password");
  }
  const bool bracketed = authority.starts_with('[');
  const std::size_t host_end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && host_end == std::string_view::npos)
    return Fail(Code::kInvalidArgument, "an endpoint's bracket is not closed");
  TRY_ASSIGN(origin.host_, bracketed ? CanonicalIpv6(authority.substr(1, host_end - 1))
                                     : CanonicalName(authority.substr(0, host_end)));
  const std::string_view after = bracketed                            ? authority.substr(host_end + 1)
                                 : host_end == std::string_view::npos ? std::string_view()
                                                                      : authority.substr(host_end);
  origin.port_ = origin.https_ ? 443 : 80;
  if (!after.empty()) {
    if (after.front() != ':')
      return Fail(Code::kInvalidArgument, "an endpoint's host is followed by :port or a path");
    TRY_ASSIGN(origin.port_, ParsePort(after.substr(1)));
  }
  origin.text_ = scheme + "://" + (bracketed ? "[" + origin.host_ + "]" : origin.host_) + ":" +
                 std::to_string(origin.port_);
  if (origin.text_.size() > kMostBytes)
    return Fail(Code::kInvalidArgument, "an endpoint's origin is at most 200 bytes");
  return origin;
}

Result<Origin> Origin::Parse(std::string_view text) {
  TRY_ASSIGN(Origin origin, OfEndpoint(text));
  if (origin.text_ != text) return Fail(Code::kInvalidArgument, "an origin reads scheme://host:port");
  return origin;
}

bool Origin::is_loopback() const {
  in_addr address{};
  if (inet_pton(AF_INET, host_.c_str(), &address) == 1) return (ntohl(address.s_addr) >> 24) == 127;
  return host_ == "::1" || host_ == "localhost";
}

}  // namespace strongroom::vault
