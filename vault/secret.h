// SecretValue: the only thing in Strongroom that may hold a key's plaintext.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>

#include "base/result.h"

namespace strongroom::worker {
class Splice;
}
namespace strongroom::keytool {
class KeyInput;
}

namespace strongroom::vault {

// SecretAccess is needed to touch a secret's bytes. Only its friends can make one, so this list *is* the list of all
// code that can see plaintext; each friend is one class, with its files beside it.
class SecretAccess {
  SecretAccess() = default;
  friend class Cipher;               // vault/cipher.cpp: seals, opens, derives, authenticates; vault/token.cpp: by a token
  friend class TrailKey;             // vault/trail_key.cpp: signs the trail's checkpoints
  friend class SealedBox;            // vault/sealed_box.cpp: to and from an X25519 key pair
  friend class KekFile;              // vault/kek_file.cpp: reads and makes KEK files
  friend class KeyFormat;            // vault/key_format.cpp: length and characters of an API key
  friend class FrameIo;              // vault/frame_io.cpp: secrets on the Unix socket
  friend class Shares;               // vault/share_*.cpp: a recovery key in pieces, printed, typed and in files
  friend class worker::Splice;       // worker/splice.cpp: the key over its placeholder, inside SSL_write
  friend class keytool::KeyInput;    // keytool/key_input.cpp: a key typed or read from a descriptor
  friend class SecretProbe;          // tests only; nothing in the product defines it
};

// SecretView lends a secret to a call. It is a parameter, never a member.
class SecretView {
 public:
  std::size_t size() const { return bytes_.size(); }
  std::span<const std::uint8_t> Bytes(const SecretAccess&) const { return bytes_; }

 private:
  friend class SecretValue;
  explicit SecretView(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::span<const std::uint8_t> bytes_;
};

// SecretValue owns one slot of the process's locked arena (vault/arena.h) and wipes it when it goes. Move-only; it
// cannot be copied, compared, printed or converted, and has no way to its bytes but a SecretAccess.
class [[nodiscard]] SecretValue {
 public:
  // The largest secret, in bytes: an API key is at most 2,000 (INTERFACES §1).
  static constexpr std::size_t kMostBytes = 2048;

  // Allocate returns `size` zero bytes. kResourceExhausted where the arena is full, with the limit to raise;
  // kInvalidArgument over kMostBytes.
  static Result<SecretValue> Allocate(std::size_t size);
  // Random fills a new secret from the system's random source.
  static Result<SecretValue> Random(std::size_t size);

  SecretValue(SecretValue&& other) noexcept;
  SecretValue& operator=(SecretValue&& other) noexcept;
  SecretValue(const SecretValue&) = delete;
  SecretValue& operator=(const SecretValue&) = delete;
  ~SecretValue();
  bool operator==(const SecretValue&) const = delete;

  std::size_t size() const { return bytes_.size(); }
  SecretView View() const { return SecretView(bytes_); }
  std::span<std::uint8_t> Bytes(const SecretAccess&) { return bytes_; }
  // Shrink forgets (and wipes) all but the first `size` bytes.
  void Shrink(const SecretAccess&, std::size_t size);
  // Wipe ends the secret now: its slot is zeroed and given back, its size is 0.
  void Wipe();

 private:
  explicit SecretValue(std::span<std::uint8_t> bytes) : bytes_(bytes) {}
  std::span<std::uint8_t> bytes_;
};

// Whatever tries to print a secret prints this.
std::ostream& operator<<(std::ostream& out, const SecretValue&);
std::string to_string(const SecretValue&);

// Kek wraps DEKs; Dek seals one key. The same 32 bytes, two types: swapping them does not compile.
template <typename Tag>
class SecretKey {
 public:
  static constexpr std::size_t kBytes = 32;
  // FromSecret takes exactly 32 bytes; kInvalidArgument otherwise.
  static Result<SecretKey> FromSecret(SecretValue value) {
    if (value.size() != kBytes) return Fail(Code::kInvalidArgument, "a 256-bit key must be 32 bytes");
    return SecretKey(std::move(value));
  }
  static Result<SecretKey> Generate() {
    auto value = SecretValue::Random(kBytes);
    if (!value) return std::unexpected(value.error());
    return SecretKey(std::move(*value));
  }
  SecretView View() const { return value_.View(); }

 private:
  explicit SecretKey(SecretValue value) : value_(std::move(value)) {}
  SecretValue value_;
};
using Kek = SecretKey<struct KekTag>;
using Dek = SecretKey<struct DekTag>;
using MacKey = SecretKey<struct MacKeyTag>;  // profile MACs and fingerprints

// ClearRegisters zeroes the vector registers and the dead stack below the caller: a copy loop leaves key bytes in
// both, and signal frames and core files carry them out. Call it after every use of plaintext.
void ClearRegisters();

}  // namespace strongroom::vault
