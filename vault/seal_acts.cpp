// Seal and unseal: the vault gives up its keys, and takes them from their protectors again. Sealed, it answers what needs no key,
// and everything it refuses is recorded as ever.
#include <utility>

#include "base/log.h"
#include "vault/field_rules.h"
#include "vault/kek_acts.h"
#include "vault/load_keys.h"
#include "vault/opener.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// The keys go once the record is durable. What was decided before and has not left by then is refused at its release
// (resolve.cpp, OpenAt), and with that the last share in the keys is given up.
class SealVault final : public Act {
 public:
  SealVault(OpenVault& vault, std::string reason) : vault_(vault), reason_(std::move(reason)) {}
  Result<void> Decide(Store&, base::Micros, audit::Draft& record) override {
    TRY(TakeReason(reason_, record));
    // Whoever seals while somebody unseals wants it sealed.
    if (vault_.sealed() && vault_.unsealing.load() == 0) return Refuse(Refusal::kSealed);
    return {};
  }
  Reply Answer(audit::Receipt&) override {
    SealNow(vault_, "keytool seal");
    return Reply(Bytes{});
  }

 private:
  OpenVault& vault_;
  const std::string reason_;
};

// The KEKs are opened before the writer's turn, with what is offered or by themselves; only their files are read in it.
class UnsealVault final : public Act {
 public:
  UnsealVault(OpenVault& vault, std::string reason) : vault_(vault), reason_(std::move(reason)) { ++vault_.unsealing; }
  UnsealVault(OpenVault& vault, ProtectorRequest request, SecretValue secret)
      : vault_(vault), reason_(std::move(request.reason)), with_(std::move(request.protector)), secret_(std::move(secret)) {
    ++vault_.unsealing;
  }
  UnsealVault(const UnsealVault&) = delete;
  UnsealVault& operator=(const UnsealVault&) = delete;
  ~UnsealVault() override { --vault_.unsealing; }
  void Prepare() override {
    if (vault_.sealed()) opened_ = Open();
  }
  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    TRY(TakeReason(reason_, record));
    if (!with_.empty()) record.before = audit::Facts{{"with", with_}};
    if (!vault_.sealed()) return Refuse(Refusal::kNotSealed);
    if (vault_.seals.load() != seals_) return Refuse(Refusal::kSealed);
    TRY(opened_);
    auto keys = LoadKeys(vault_.config, store, vault_.vault_id, vault_.node_id, &offered_);
    if (!keys) {
      base::Log(base::Level::kError, "unseal_failed", {{"why", keys.error().text}});
      if (missed_ && keys.error().missing) return std::unexpected(*missed_);
      return Refuse(Refusal::kUnsealFailed);
    }
    keys_ = std::move(*keys);
    record.after = audit::Facts{{"kek_version", std::to_string(keys_->wrap_version)}};
    return {};
  }
  Reply Answer(audit::Receipt&) override {
    vault_.held.Put(std::move(keys_));
    // Its record was kept when nobody could sign.
    if (const auto kept = vault_.trail->KeepSigned(); !kept) base::LogError("checkpoint_not_signed", kept.error());
    // What the file of stops lacks could not be proved without keys: the next act looks again.
    vault_.epoch.Doubt();
    return Reply(Bytes{});
  }

 private:
  Result<void> Open();

  OpenVault& vault_;
  const std::int64_t seals_ = vault_.seals.load();
  const std::string reason_, with_;
  std::optional<SecretValue> secret_;
  Keyring offered_;
  Result<void> opened_;
  std::optional<Error> missed_;  // why a KEK that would open by itself did not
  std::shared_ptr<const VaultKeys> keys_;
};

// A refusal of what was offered is the act's; what does not open by itself is missed by LoadKeys, where it is needed, and why it
// did not (the token is away) is then the act's refusal.
Result<void> UnsealVault::Open() {
  const auto kind = ProtectorNamed(with_);
  Opener opener(vault_.config, vault_.vault_id, vault_.anteroom.stop());
  if (!with_.empty()) {
    if (!kind || !TakesSecret(*kind)) return Refuse(Refusal::kFieldInvalid);
    opener.Offer(*kind, std::move(*secret_));
  }
  TRY_ASSIGN(const auto reader, OpenReader(vault_.config, vault_.node_id));
  TRY_ASSIGN(const std::vector<KekRow> rows, Store(*reader).ListKeks());
  for (const KekRow& row : rows) {
    if (row.status == kKekRetired || row.status == kKekDestroyed) continue;
    const bool by_offer = !with_.empty() && KekDirectory(vault_.config.vault.kek_path).Has(row.version, *kind);
    auto kek = by_offer ? opener.Open(row.version, *kind) : opener.OpenAny(row.version);
    if (kek) offered_.Add(row.version, std::move(*kek));
    else if (by_offer) return std::unexpected(kek.error());
    // A PREPARED one is not needed; the first reason is the one that matters.
    else if (kek.error().refusal() != 0 && row.status != kKekPrepared && !missed_) missed_ = kek.error();
  }
  return {};
}

}  // namespace

void SealNow(OpenVault& vault, std::string_view because) {
  if (vault.sealed() && vault.unsealing.load() == 0) return;
  vault.held.Put(nullptr, std::string(because));
  ++vault.seals;
  vault.anteroom.Interrupt();  // a ceremony that waits for a token gives up its KEKs
  vault.proofs.Forget();
  vault.ahead.Stop();
  vault.rewrapper = {};  // that rotation has ended: whoever finishes it after the unseal is not told of it
}

MadeAct MakeSeal(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string reason, DecodeText(body));
  return std::make_unique<SealVault>(vault, std::move(reason));
}

MadeAct MakeUnseal(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string reason, DecodeText(body));
  return std::make_unique<UnsealVault>(vault, std::move(reason));
}

MadeAct MakeUnsealWith(OpenVault& vault, ByteView body, std::optional<SecretValue> secret) {
  TRY_ASSIGN(ProtectorRequest request, ProtectorRequest::Decode(body));
  if (!secret || request.protector.empty() || !request.with.empty()) return Fail(Code::kInvalidArgument, "no such request");
  return std::make_unique<UnsealVault>(vault, std::move(request), std::move(*secret));
}

}  // namespace strongroom::vault
