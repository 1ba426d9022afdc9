// Opener: from a KEK version's protectors to the KEK, with what somebody offers or with what is there by itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "vault/kek_directory.h"
#include "vault/protocol.h"
#include "vault/secret.h"
#include "vault/token_thread.h"

namespace strongroom::vault {

// An Opener lasts for one start or one ceremony: what it has opened once (a passphrase's key pair, a token) it keeps for the
// next version. A passphrase blocks for about a second, a token up to pkcs11_timeout_ms a call: never on a thread that serves.
class Opener {
 public:
  // `stop` ends the wait for a token.
  Opener(const base::Config& config, std::string vault_id, std::stop_token stop = {});

  // Offer gives the secret of a protector that does not open by itself.
  void Offer(ProtectorKind kind, SecretValue secret);
  bool offers(ProtectorKind kind) const { return offered_ && offered_->first == kind; }

  // Open is kNotFound where the version has no such protector, else the refusal; the reason in full is in vaultd's log.
  Result<Kek> Open(std::int64_t version, ProtectorKind kind);
  // OpenAny tries one protector after another, what needs a secret only where that is offered. The refusal is that of the
  // last one that refused; kNotFound where there was none to try.
  Result<Kek> OpenAny(std::int64_t version);
  // OpenOther is OpenAny where N.key was tried already.
  Result<Kek> OpenOther(std::int64_t version);

 private:
  Result<Kek> OpenFirst(std::int64_t version, const std::vector<ProtectorKind>& kinds);
  Result<Kek> OpenLocked(std::int64_t version, ProtectorKind kind);
  Result<void> OpenPair(const PassphraseLock& lock);
  Result<void> LogIn();

  const base::Config& config_;
  const std::string vault_id_;
  const KekDirectory directory_;
  std::optional<std::pair<ProtectorKind, SecretValue>> offered_;
  std::optional<std::pair<PassphraseLock, SecretValue>> pair_;
  const std::stop_token stop_;
  std::unique_ptr<Cipher::TokenThread> token_;
  std::optional<Error> no_token_;  // why not: a wrong PIN is not tried again
};

// TakesSecret is whether a protector can be opened with what somebody offers.
constexpr bool TakesSecret(ProtectorKind kind) { return kind == ProtectorKind::kPassphrase || kind == ProtectorKind::kPkcs11; }

// OpensByItself is whether a protector needs nobody, as things are configured.
bool OpensByItself(const base::Config& config, ProtectorKind kind);

}  // namespace strongroom::vault
