// A protector is added to every KEK version there is, or taken away from every one: the record first, then the files. A
// vaultd that is killed in between has files that the trail knows of; the same command again finishes.
#include <map>
#include <utility>

#include "base/log.h"
#include "vault/cipher.h"
#include "vault/field_rules.h"
#include "vault/kek_acts.h"
#include "vault/kek_file.h"
#include "vault/opener.h"
#include "vault/operations.h"
#include "vault/protectors.h"
#include "vault/token_lock.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kLeastPassphrase = 12, kMostPassphrase = 1024;

using Versions = std::map<std::int64_t, std::shared_ptr<const Kek>>;

audit::Facts FactsOf(std::string_view protector, const auto& versions) {
  std::string numbers;
  for (const auto& [version, ignored] : versions) numbers += (numbers.empty() ? "" : ",") + std::to_string(version);
  return {{"protector", std::string(protector)}, {"kek_versions", numbers}};
}

Result<std::vector<KekRow>> ReadKeks(const OpenVault& vault) {
  TRY_ASSIGN(const auto reader, OpenReader(vault.config, vault.node_id));
  return Store(*reader).ListKeks();
}

bool IsRight(const Kek& kek, const KekRow& row) {
  const auto value = CheckValue(kek);
  return value && Cipher::Equal(*value, row.check_value);
}

class ProtectorAct : public Act {
 public:
  ProtectorAct(OpenVault& vault, ProtectorRequest request, std::optional<SecretValue> secret)
      : vault_(vault), request_(std::move(request)), secret_(std::move(secret)), directory_(vault.config.vault.kek_path) {}
  void Prepare() final {
    prepared_ = PrepareKind();
    secret_.reset();
  }
  Reply Answer(audit::Receipt&) final { return Reply(Bytes{}); }

 protected:
  virtual Result<void> Make() = 0;
  // Unfinished is for what stands between the record and its files.
  Result<void> Unfinished(const std::string& path, const Error& error) const {
    base::LogError("protector_unfinished", error, {{"path", path}});
    return Refuse(Refusal::kProtectorUnfinished);
  }

  OpenVault& vault_;
  const ProtectorRequest request_;
  std::optional<SecretValue> secret_;
  const KekDirectory directory_;
  ProtectorKind kind_ = ProtectorKind::kFile;
  Result<void> prepared_;

 private:
  Result<void> PrepareKind() {
    const auto kind = ProtectorNamed(request_.protector);
    if (!kind) return Refuse(Refusal::kFieldInvalid);
    if (directory_.one_file()) return Refuse(Refusal::kKekOneFile);
    kind_ = *kind;
    return Make();
  }
};

class AddProtector final : public ProtectorAct {
 public:
  using ProtectorAct::ProtectorAct;
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  void Undo() override;
  Result<void> Effect() override {
    for (const NewProtector& file : files_) {
      const auto placed = directory_.Place(file.version, file.kind);
      if (!placed) return Unfinished(directory_.PathOf(file.version, file.kind), placed.error());
    }
    return {};
  }

 private:
  Result<void> Make() override;
  Result<Versions> FindVersions() const;
  // Locks is what a protector locks with; a token is logged out as it goes, on whatever way Make is left.
  struct Locks {
    std::optional<PassphraseLock> passphrase;
    std::optional<SecretValue> credential;
    std::unique_ptr<Cipher::TokenThread> token;
  };
  Result<Locks> MakeReady() const;
  Result<ProtectorFile> Lock(const Locks& locks, std::int64_t version, const Kek& kek) const;

  Versions versions_;
  std::vector<NewProtector> files_;
  bool staged_ = false;
};

// What is held, and RETIRED versions too, as long as their files are there: `file` may go later, and they not with it.
Result<Versions> AddProtector::FindVersions() const {
  TRY_ASSIGN(const auto keys, vault_.Keys());
  Versions versions = keys->keyring.keks();
  TRY_ASSIGN(const std::vector<KekRow> rows, ReadKeks(vault_));
  for (const KekRow& row : rows) {
    if (row.status != kKekRetired) continue;
    auto kek = KekFile::Read(directory_.PathOf(row.version, ProtectorKind::kFile));
    if (kek && IsRight(*kek, row)) versions[row.version] = std::make_shared<const Kek>(std::move(*kek));
  }
  return versions;
}

Result<void> AddProtector::Make() {
  TRY_ASSIGN(versions_, FindVersions());
  bool all = true;
  for (const auto& [version, kek] : versions_) all = all && directory_.Check(version, kind_, *kek, vault_.vault_id).has_value();
  if (all) return Refuse(Refusal::kProtectorExists);
  TRY_ASSIGN(const Locks locks, MakeReady());
  for (const auto& [version, kek] : versions_) {
    NewProtector file{version, kind_, kek, {}};
    if (kind_ != ProtectorKind::kFile) {
      TRY_ASSIGN(const ProtectorFile locked, Lock(locks, version, *kek));
      file.content = locked.Encode();
    }
    files_.push_back(std::move(file));
  }
  return {};
}

// The passphrase's key pair, the credential, or the token, where a key is generated if it has none yet.
Result<AddProtector::Locks> AddProtector::MakeReady() const {
  if (secret_ && !TakesSecret(kind_)) return Refuse(Refusal::kFieldInvalid);
  Locks locks;
  if (kind_ == ProtectorKind::kPassphrase) {
    if (!secret_) return Refuse(Refusal::kPassphraseWanted);
    if (secret_->size() < kLeastPassphrase || secret_->size() > kMostPassphrase) return Refuse(Refusal::kPassphraseShort);
    TRY_ASSIGN(locks.passphrase, MakePassphraseLock(vault_.vault_id, secret_->View(), Cipher::kModerate));
  }
  if (kind_ == ProtectorKind::kCredential) {
    const std::string& path = vault_.config.vault.credential_path;
    auto credential = KekFile::ReadCredential(path);
    if (!credential) {
      base::LogError("protector_failed", credential.error(), {{"path", path}});
      return Refuse(Refusal::kCredentialMissing);
    }
    locks.credential = std::move(*credential);
  }
  if (kind_ == ProtectorKind::kPkcs11) {
    TRY_ASSIGN(locks.token, OpenToken(vault_.config, secret_ ? &*secret_ : nullptr, vault_.anteroom.stop(),
                                       Cipher::Token::NoKey::kGenerate));
  }
  return locks;
}

Result<ProtectorFile> AddProtector::Lock(const Locks& locks, std::int64_t version, const Kek& kek) const {
  if (locks.passphrase) return LockByPassphrase(vault_.vault_id, version, *locks.passphrase, kek);
  if (locks.token) return LockByToken(vault_.vault_id, version, *locks.token, kek);
  return LockByCredential(vault_.vault_id, version, locks.credential->View(), kek);
}

Result<void> AddProtector::Decide(Store& store, base::Micros, audit::Draft& record) {
  TRY(TakeReason(request_.reason, record));
  record.before = audit::Facts{{"protector", request_.protector}};
  TRY(vault_.Keys());  // sealed since this was prepared: it ends here
  TRY(prepared_);
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  for (const KekRow& row : rows) {
    const bool ours = versions_.contains(row.version);
    if ((row.status == kKekDestroyed && ours) || (row.status == kKekActive && !ours)) return Refuse(Refusal::kConflict);
  }
  record.after = FactsOf(request_.protector, versions_);
  staged_ = true;
  return StageAll(directory_, files_);
}

// A KEK in clear must not stay beside its place for an act that is not on the trail.
void AddProtector::Undo() {
  if (!std::exchange(staged_, false)) return;
  if (const auto tidied = directory_.Tidy(); !tidied) {
    base::LogError("kek_directory_not_tidied", tidied.error(), {{"path", directory_.path()}});
  }
}

class RemoveProtector final : public ProtectorAct {
 public:
  using ProtectorAct::ProtectorAct;
  Result<void> Decide(Store&, base::Micros, audit::Draft& record) override {
    TRY(TakeReason(request_.reason, record));
    record.before = FactsOf(request_.protector, proved_by_);
    TRY(prepared_);
    record.after = audit::Facts();
    for (const auto& [version, kind] : proved_by_) {
      (*record.after)["kek_" + std::to_string(version) + "_opens_by"] = std::string(ProtectorName(kind));
    }
    return {};
  }
  Result<void> Effect() override {
    for (const auto& [version, ignored] : proved_by_) {
      const auto erased = directory_.Erase(version, kind_);
      if (!erased) return Unfinished(directory_.PathOf(version, kind_), erased.error());
    }
    return {};
  }

 private:
  Result<void> Make() override;
  Result<ProtectorKind> ProveOther(Opener& opener, const KekRow& row) const;

  std::map<std::int64_t, ProtectorKind> proved_by_;
};

// Every version that has it must open by another one, now: a RETIRED one as well, for a backup may need it.
Result<void> RemoveProtector::Make() {
  Opener opener(vault_.config, vault_.vault_id, vault_.anteroom.stop());
  if (secret_) {
    const auto with = ProtectorNamed(request_.with);
    if (!with || *with == kind_ || !TakesSecret(*with)) return Refuse(Refusal::kFieldInvalid);
    opener.Offer(*with, std::move(*secret_));
  }
  TRY_ASSIGN(const std::vector<KekRow> rows, ReadKeks(vault_));
  for (const KekRow& row : rows) {
    if (row.status == kKekDestroyed || !directory_.Has(row.version, kind_)) continue;
    TRY_ASSIGN(proved_by_[row.version], ProveOther(opener, row));
  }
  if (proved_by_.empty()) return Refuse(Refusal::kProtectorMissing);
  return {};
}

Result<ProtectorKind> RemoveProtector::ProveOther(Opener& opener, const KekRow& row) const {
  Result<ProtectorKind> outcome = Refuse(Refusal::kProtectorLast);
  for (const ProtectorKind kind : directory_.KindsOf(row.version)) {
    if (kind == kind_) continue;
    const auto kek = opener.Open(row.version, kind);
    if (kek && IsRight(*kek, row)) return kind;
    outcome = kek ? Refuse(Refusal::kProtectorTampered) : std::unexpected(kek.error());
  }
  return outcome;
}

template <typename T>
MadeAct MakeProtectorAct(OpenVault& vault, ByteView body, std::optional<SecretValue> secret) {
  TRY_ASSIGN(ProtectorRequest request, ProtectorRequest::Decode(body));
  return std::make_unique<T>(vault, std::move(request), std::move(secret));
}

}  // namespace

std::optional<SensitiveAct> RemovesProtector(ByteView body) {
  auto request = ProtectorRequest::Decode(body);
  if (!request) return std::nullopt;
  SensitiveAct sensitive{"remove protector " + request->protector, request->reason, {}};
  // How the remover proves that another one opens is no part of what is removed.
  request->with.clear();
  sensitive.body = request->Encode();
  return sensitive;
}

MadeAct MakeAddProtector(OpenVault& vault, ByteView body, std::optional<SecretValue> secret) {
  return MakeProtectorAct<AddProtector>(vault, body, std::move(secret));
}
MadeAct MakeRemoveProtector(OpenVault& vault, ByteView body, std::optional<SecretValue> secret) {
  return MakeProtectorAct<RemoveProtector>(vault, body, std::move(secret));
}

}  // namespace strongroom::vault
