// Origin: the one place a key may be sent to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::vault {

// Origin is scheme, host and port (RFC 6454), with the host in lower case and the port always written:
// "https://api.anthropic.com:443", "https://[::1]:8443".
class Origin {
 public:
  // OfEndpoint takes an endpoint URL, http or https, with an optional path and no user info, query or fragment.
  static Result<Origin> OfEndpoint(std::string_view endpoint);
  // Parse reads exactly what text() writes.
  static Result<Origin> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  const std::string& host() const { return host_; }  // without the brackets of an IPv6 address
  std::uint16_t port() const { return port_; }
  bool is_https() const { return https_; }
  // is_loopback is true for 127.0.0.0/8, ::1 and "localhost".
  bool is_loopback() const;
  bool operator==(const Origin& other) const { return text_ == other.text_; }

 private:
  Origin() = default;
  std::string text_, host_;
  std::uint16_t port_ = 0;
  bool https_ = false;
};

}  // namespace strongroom::vault
