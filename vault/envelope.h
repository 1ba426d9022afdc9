// The envelope around a stored key: a fresh DEK seals the key, the KEK wraps the DEK, and both bind what the key is
// and where it may go. Formats: vault/PROTOCOL.md, section Envelope.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/key_ref.h"
#include "vault/key_state.h"
#include "vault/origin.h"
#include "vault/secret.h"

namespace strongroom::vault {

// KeyContext is what the payload's AAD binds: facts that never change for a key version. It has no default, so
// nothing can be sealed without it.
struct KeyContext {
  KeyContext(std::string vault, KeyRef ref) : vault_id(std::move(vault)), key_ref(std::move(ref)) {}
  std::string vault_id;
  KeyRef key_ref;  // customer, provider and key version are its parts
};

// AccountLimit is what the account of a house key takes a minute, shared out among the profiles that use it; nullopt: no limit.
struct AccountLimit {
  std::optional<std::int64_t> rpm, tpm;
  bool any() const { return rpm.has_value() || tpm.has_value(); }
  bool operator==(const AccountLimit&) const = default;
};

// WrapContext is what the wrap's AAD binds on top: facts that change, each time with a new wrap.
struct WrapContext {
  WrapContext(KeyContext key_context, Origin key_origin, bool is_hosted)
      : key(std::move(key_context)), origin(std::move(key_origin)), hosted(is_hosted) {}
  KeyContext key;
  Origin origin;
  bool hosted;  // the house's own key: profiles of other customers may use it
  KeyState state = KeyState::kPending;
  std::optional<base::Micros> grace_until;
  std::int64_t row_version = 1;
  std::int64_t kek_version = 1;
  AccountLimit limit;
};

// PayloadAad and WrapAad are the canonical, length-prefixed bytes that are authenticated.
Bytes PayloadAad(const KeyContext& context);
Bytes WrapAad(const WrapContext& context);

// SealedKey is ENCRYPTED_KEY and NONCE_KEY: format ‖ 32-byte commitment ‖ ciphertext ‖ tag.
struct SealedKey {
  Bytes nonce, ciphertext;
  bool operator==(const SealedKey&) const = default;
};
// WrappedDek is ENCRYPTED_DEK and NONCE_DEK.
struct WrappedDek {
  Bytes nonce, ciphertext;
  bool operator==(const WrappedDek&) const = default;
};
struct Sealed {
  SealedKey key;
  WrappedDek dek;
  bool operator==(const Sealed&) const = default;
};

// Seal makes a fresh DEK, seals the key with it and wraps it under the KEK.
Result<Sealed> Seal(const Kek& kek, const WrapContext& context, SecretView api_key);
// Open returns the key. Every failure is the one kDecryptFailed (kResourceExhausted where the arena is full).
Result<SecretValue> Open(const Kek& kek, const WrapContext& context, const Sealed& sealed);
// Verify is kDecryptFailed unless the wrap opens in this context and its DEK is the one the payload commits to. It
// does not open the payload: no API key comes into memory.
Result<void> Verify(const Kek& kek, const WrapContext& context, const Sealed& sealed);
// Rewrap opens the DEK under (old_kek, from) and wraps it under (new_kek, to). The payload is not touched;
// kInvalidArgument where `to` names another vault or KEY_REF, for which the payload could never open.
Result<WrappedDek> Rewrap(const Kek& old_kek, const WrapContext& from, const WrappedDek& dek, const Kek& new_kek,
                          const WrapContext& to);

}  // namespace strongroom::vault
