#include "vault/opener.h"

#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "vault/kek_file.h"
#include "vault/operations.h"
#include "vault/token_lock.h"

namespace strongroom::vault {
namespace {

std::unexpected<Error> Refused(const std::string& path, const Error& error, Refusal refusal) {
  base::LogError("protector_failed", error, {{"path", path}});
  return Refuse(refusal);
}

Refusal OfUnlock(const Error& error, ProtectorKind kind) {
  if (error.code() == Code::kResourceExhausted) return Refusal::kBusy;
  if (error.code() == Code::kCorrupt) return Refusal::kProtectorTampered;
  return kind == ProtectorKind::kPassphrase ? Refusal::kPassphraseWrong : Refusal::kProtectorTampered;
}

}  // namespace

bool OpensByItself(const base::Config& config, ProtectorKind kind) {
  const std::string& credential = config.vault.credential_path;
  if (kind == ProtectorKind::kPkcs11) return PinIsKept(config);
  if (kind == ProtectorKind::kCredential) return !credential.empty() && access(credential.c_str(), R_OK) == 0;
  return kind == ProtectorKind::kFile;
}

Opener::Opener(const base::Config& config, std::string vault_id, std::stop_token stop)
    : config_(config), vault_id_(std::move(vault_id)), directory_(config.vault.kek_path), stop_(std::move(stop)) {}

void Opener::Offer(ProtectorKind kind, SecretValue secret) { offered_.emplace(kind, std::move(secret)); }

Result<Kek> Opener::Open(std::int64_t version, ProtectorKind kind) {
  if (!directory_.Has(version, kind)) return Fail(Code::kNotFound, "the version has no such protector");
  if (!offers(kind) && !OpensByItself(config_, kind)) return Refuse(Refusal::kPassphraseWanted);
  if (kind != ProtectorKind::kFile) return OpenLocked(version, kind);
  const std::string path = directory_.PathOf(version, kind);
  auto kek = KekFile::Read(path);
  if (!kek) return Refused(path, kek.error(), Refusal::kKekFile);
  return kek;
}

Result<Kek> Opener::OpenAny(std::int64_t version) { return OpenFirst(version, directory_.KindsOf(version)); }

Result<Kek> Opener::OpenOther(std::int64_t version) {
  std::vector<ProtectorKind> kinds = directory_.KindsOf(version);
  std::erase(kinds, ProtectorKind::kFile);
  return OpenFirst(version, kinds);
}

Result<Kek> Opener::OpenFirst(std::int64_t version, const std::vector<ProtectorKind>& kinds) {
  Result<Kek> last = Fail(Code::kNotFound, "no protector of this version opens by itself");
  for (const ProtectorKind kind : kinds) {
    if (!offers(kind) && !OpensByItself(config_, kind)) continue;
    last = Open(version, kind);
    if (last) return last;
  }
  return last;
}

Result<Kek> Opener::OpenLocked(std::int64_t version, ProtectorKind kind) {
  const std::string path = directory_.PathOf(version, kind);
  const auto file = directory_.Read(version, kind);
  if (!file) return Refused(path, file.error(), Refusal::kProtectorTampered);
  Result<Kek> kek = Fail(Code::kInternal, "not tried");
  if (const auto* lock = std::get_if<PassphraseLock>(&file->lock)) {
    TRY(OpenPair(*lock));
    kek = Unlock(*file, vault_id_, version, pair_->second.View());
  } else if (kind == ProtectorKind::kPkcs11) {
    TRY(LogIn());
    kek = UnlockByToken(*file, vault_id_, version, *token_);
  } else {
    const auto credential = KekFile::ReadCredential(config_.vault.credential_path);
    if (!credential) return Refused(config_.vault.credential_path, credential.error(), Refusal::kCredentialMissing);
    kek = Unlock(*file, vault_id_, version, credential->View());
  }
  if (!kek && kek.error().refusal() != 0) return kek;
  if (!kek) return Refused(path, kek.error(), OfUnlock(kek.error(), kind));
  return kek;
}

Result<void> Opener::LogIn() {
  if (no_token_) return std::unexpected(*no_token_);
  if (token_) return {};
  auto token = OpenToken(config_, offers(ProtectorKind::kPkcs11) ? &offered_->second : nullptr, stop_);
  if (!token) {
    no_token_ = token.error();
    return std::unexpected(*no_token_);
  }
  token_ = std::move(*token);
  return {};
}

// The same passphrase opens the same pair for every version: it is stretched once.
Result<void> Opener::OpenPair(const PassphraseLock& lock) {
  if (pair_ && pair_->first == lock) return {};
  auto half = OpenPassphraseLock(vault_id_, lock, offered_->second.View());
  if (!half && half.error().code() == Code::kDecryptFailed) return Refuse(Refusal::kPassphraseWrong);
  if (!half) return Refused(directory_.path(), half.error(), Refusal::kBusy);
  pair_.emplace(lock, std::move(*half));
  return {};
}

}  // namespace strongroom::vault
