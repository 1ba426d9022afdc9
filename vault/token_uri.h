// TokenUri: one key on one PKCS#11 token, as [vault] pkcs11_uri names it: a PKCS#11 URI (RFC 7512) without a query.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace strongroom::vault {

// An empty member says nothing: any will do. At least one of token and serial is there, and one of object and id.
struct TokenUri {
  std::string token, serial, manufacturer, model;  // of the token
  std::string object;                              // the key's CKA_LABEL
  Bytes id;                                        // its CKA_ID

  // Parse is kInvalidArgument for whatever is not of that form, names anything twice, or names what this program would not
  // heed: a library, a slot, a PIN, another type of key.
  static Result<TokenUri> Parse(std::string_view uri);
  // Print writes it so that Parse reads the same.
  std::string Print() const;
  bool operator==(const TokenUri&) const = default;
};

}  // namespace strongroom::vault
