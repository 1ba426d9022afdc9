// ProtectorFile: a KEK version as one of its protectors keeps it, in the kek directory beside (or instead of) N.key. The
// format is in vault/PROTOCOL.md. The protector "file" has none of these: its file is the KEK itself (vault/kek_file.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/cipher.h"
#include "vault/secret.h"

namespace strongroom::vault {

// ProtectorKind: its number is in files and MACs, and fixed for good.
enum class ProtectorKind : std::uint8_t { kFile = 1, kPassphrase = 2, kCredential = 3, kPkcs11 = 4 };
// In the order in which they are shown and tried.
inline constexpr std::array kProtectorKinds{ProtectorKind::kFile, ProtectorKind::kCredential, ProtectorKind::kPkcs11,
                                            ProtectorKind::kPassphrase};
// ProtectorName is "file", "passphrase" …, as keytool and the trail spell it; ProtectorNamed reads it back.
std::string_view ProtectorName(ProtectorKind kind);
std::optional<ProtectorKind> ProtectorNamed(std::string_view name);
// ProtectorFileName is a version's file in the kek directory: "2.key", "2.passphrase" …
std::string ProtectorFileName(std::int64_t version, ProtectorKind kind);
// VersionOfFileName is the version in such a name, 0 for any other name ("02.key", "2.key.staged").
std::int64_t VersionOfFileName(std::string_view name);

// PassphraseLock: what a passphrase opens is the private half of a key pair, and KEKs are sealed to its public half, so that
// a new KEK version comes under it without the passphrase.
struct PassphraseLock {
  Cipher::Argon2 cost{};
  Bytes salt, public_key, nonce, sealed_private;
  bool operator==(const PassphraseLock&) const = default;
};
// CredentialLock: the KEK is under a key derived from a secret that the service manager hands over.
struct CredentialLock {
  Bytes nonce;
  bool operator==(const CredentialLock&) const = default;
};
// TokenLock: the KEK is under an AES-256 key that is on a PKCS#11 token (vault/token_lock.h).
struct TokenLock {
  Bytes nonce;
  bool operator==(const TokenLock&) const = default;
};

struct ProtectorFile {
  std::string vault_id;
  std::int64_t kek_version = 0;
  std::variant<PassphraseLock, CredentialLock, TokenLock> lock;
  Bytes wrapped;  // the KEK under the lock
  Bytes mac;      // over all of the above

  // The longest file there can be; whatever is longer is not looked at.
  static constexpr std::size_t kMostBytes = 4096;
  // The most that a file may ask Argon2id for: a rubbish file must not exhaust the machine.
  static constexpr Cipher::Argon2 kMostCost{16, std::uint64_t{1} << 30};

  ProtectorKind kind() const;
  Bytes Encode() const;
  // Decode is kCorrupt unless the bytes are a whole file of this format and within these bounds.
  static Result<ProtectorFile> Decode(ByteView bytes);

  // Authenticate sets `mac`, by a key derived from the KEK that the file holds. IsGenuine is whether the file was made by
  // somebody who had that KEK, for this vault and version: nobody else can change its public key, its cost or anything.
  Result<void> Authenticate(const Kek& kek);
  bool IsGenuine(const Kek& kek, std::string_view its_vault, std::int64_t its_version) const;
  // CheckGenuine is kCorrupt where it is not.
  Result<void> CheckGenuine(const Kek& kek, std::string_view its_vault, std::int64_t its_version) const;
  // WrapAad is what a credential or a token binds the KEK to: vault, version and protector.
  Bytes WrapAad() const;
};

// MakePassphraseLock takes a new passphrase. OpenPassphraseLock returns the private half; kDecryptFailed for another
// passphrase. Both block for about a second (Cipher::Stretch).
Result<PassphraseLock> MakePassphraseLock(std::string_view vault_id, SecretView passphrase, const Cipher::Argon2& cost);
Result<SecretValue> OpenPassphraseLock(std::string_view vault_id, const PassphraseLock& lock, SecretView passphrase);

// LockKek puts a KEK version under a passphrase's lock, or under a credential; the file is authenticated.
Result<ProtectorFile> LockByPassphrase(std::string_view vault_id, std::int64_t version, const PassphraseLock& lock,
                                       const Kek& kek);
Result<ProtectorFile> LockByCredential(std::string_view vault_id, std::int64_t version, SecretView credential,
                                       const Kek& kek);
// Unlock takes what opens the file: the private half of its pair, or the credential. kDecryptFailed where it does not open,
// as nothing opens a token's file here; kCorrupt where it opens and the file is not genuine.
Result<Kek> Unlock(const ProtectorFile& file, std::string_view vault_id, std::int64_t version, SecretView opener);

}  // namespace strongroom::vault
