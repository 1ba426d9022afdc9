// NewKey: how a key comes to be held, whoever brings it: where it belongs, and its first row, PENDING.
#pragma once

#include <string>

#include "audit/record.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/open_vault.h"
#include "vault/origin.h"
#include "vault/secret.h"
#include "vault/store.h"

namespace strongroom::vault {

// Place is where a new key belongs and may go.
struct Place {
  std::string customer, provider, label;
  Origin origin;
  bool hosted;
};

// NewPlace is a place as somebody asks for it: an empty label is "default", an empty endpoint the provider's own.
struct NewPlace {
  std::string customer, provider, label, endpoint;
  bool hosted = false;
};
// PlaceFor refuses with kFieldInvalid, kKeyProviderMismatch (a provider without keys) and kOriginNotTls.
Result<Place> PlaceFor(const NewPlace& asked);
// PlaceLike is that of a key that is held, once it is proved: an edited ORIGIN would otherwise carry over to the new key.
Result<Place> PlaceLike(const OpenVault& vault, Store& store, const std::string& key_ref);

// CheckNotLeaked is kKeyLeaked where another row holds the same key, by its FINGERPRINT, and is COMPROMISED, or was before it was destroyed.
Result<void> CheckNotLeaked(const OpenVault& vault, Store& store, const KeyRow& row);

// HoldPending inserts the key as the next version there, and returns its KEY_REF. The record is told what and where, customer and
// key_ref included. The caller has checked the key's form.
Result<std::string> HoldPending(const OpenVault& vault, Store& store, const Place& place, SecretView key, base::Micros now,
                                audit::Draft& record);

}  // namespace strongroom::vault
