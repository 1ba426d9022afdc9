// NodeKey: the X25519 pair under which KEKs travel to this home, and the check phrase by which people make sure of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

// CheckPhrase is what a joining node shows and an admin gives at one that has the KEKs: 32 characters, two times 10 bytes
// (form: vault/PROTOCOL.md). It works both ways, and neither half is ever in the database:
// - `fingerprint` is over vault id, node id, public key and `secret`. Whoever writes the database cannot put a key of their own
//   in the place of the node's: they would need another key with this fingerprint, of 80 bits.
// - `secret` tells the node that the KEKs which arrive were sent by whoever was given the phrase, and not by a stranger who
//   has sealed KEKs of their own to its public key (NodeKeks::CheckJoined).
struct CheckPhrase {
  Bytes secret, fingerprint;

  static CheckPhrase Make(std::string_view vault_id, std::string_view node_id, ByteView public_key, Bytes secret);
  // Print is eight groups of four characters. Parse takes them in either case, with or without dashes and blanks.
  std::string Print() const;
  static std::optional<CheckPhrase> Parse(std::string_view text);
  bool IsOf(std::string_view vault_id, std::string_view node_id, ByteView public_key) const;
};

class NodeKey {
 public:
  // Open reads HOME/node.key, or makes it, durably, where there is none.
  static Result<NodeKey> Open(const std::string& home);

  const Bytes& public_key() const { return public_key_; }
  SecretView private_key() const { return private_key_.View(); }
  CheckPhrase Phrase(std::string_view vault_id, std::string_view node_id) const;

 private:
  NodeKey(SecretValue private_key, Bytes public_key, Bytes phrase_secret)
      : private_key_(std::move(private_key)), public_key_(std::move(public_key)), phrase_secret_(std::move(phrase_secret)) {}
  SecretValue private_key_;
  Bytes public_key_, phrase_secret_;
};

}  // namespace strongroom::vault
