// KeyRef: the name of one version of one key, and the only fact about a key that a log, an audit record or a metric
// may carry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::vault {

// KeyRef is CUSTOMER/provider/label/version, such as "ACME/anthropic/default/1" (INTERFACES §2), at most 60 bytes.
class KeyRef {
 public:
  // Parse reads exactly what Make writes; kInvalidArgument on anything else.
  static Result<KeyRef> Parse(std::string_view text);
  // Make checks each part: customer 1–10 of A–Z a–z 0–9 _ $ # @ -, provider 1–20 of a–z 0–9 -, label 1–20 of
  // A–Z a–z 0–9 . _ -, version 1 to 999,999.
  static Result<KeyRef> Make(std::string_view customer, std::string_view provider, std::string_view label,
                             std::int64_t version);

  const std::string& text() const { return text_; }
  const std::string& customer() const { return customer_; }
  const std::string& provider() const { return provider_; }
  const std::string& label() const { return label_; }
  std::int64_t version() const { return version_; }
  bool operator==(const KeyRef& other) const { return text_ == other.text_; }

 private:
  KeyRef() = default;
  std::string text_, customer_, provider_, label_;
  std::int64_t version_ = 0;
};

// CheckCustomer and CheckProvider are Make's rules for those parts alone.
Result<void> CheckCustomer(std::string_view customer);
Result<void> CheckProvider(std::string_view provider);

}  // namespace strongroom::vault
