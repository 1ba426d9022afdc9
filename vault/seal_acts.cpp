// Seal and unseal: the vault gives up its keys, and takes them from their files again. Sealed, it answers what needs no key,
// and everything it refuses is recorded as ever.
#include <utility>

#include "base/log.h"
#include "vault/field_rules.h"
#include "vault/load_keys.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// The keys go once the record is durable. What was decided before and has not left by then is refused at its release
// (resolve.cpp, OpenAt), and with that the last share in the keys is given up.
class SealVault final : public Act {
 public:
  SealVault(OpenVault& vault, std::string reason) : vault_(vault), reason_(std::move(reason)) {}
  Result<void> Decide(Store&, base::Micros, audit::Draft& record) override { return TakeReason(reason_, record); }
  Reply Answer(const audit::Receipt&) override {
    vault_.held.Put(nullptr);
    vault_.proofs.Forget();
    return Reply(Bytes{});
  }

 private:
  OpenVault& vault_;
  const std::string reason_;
};

class UnsealVault final : public Act {
 public:
  UnsealVault(OpenVault& vault, std::string reason) : vault_(vault), reason_(std::move(reason)) {}
  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    TRY(TakeReason(reason_, record));
    if (!vault_.sealed()) return Refuse(Refusal::kNotSealed);
    auto keys = LoadKeys(vault_.config, store, vault_.vault_id);
    if (!keys) {
      base::Log(base::Level::kError, "unseal_failed", {{"why", keys.error().text}});
      return Refuse(Refusal::kUnsealFailed);
    }
    keys_ = std::move(*keys);
    record.after = audit::Facts{{"kek_version", std::to_string(keys_->wrap_version)}};
    return {};
  }
  Reply Answer(const audit::Receipt&) override {
    vault_.held.Put(std::move(keys_));
    // What the file of stops lacks could not be proved without keys: the next act looks again.
    vault_.epoch.Doubt();
    return Reply(Bytes{});
  }

 private:
  OpenVault& vault_;
  const std::string reason_;
  std::shared_ptr<const VaultKeys> keys_;
};

}  // namespace

MadeAct MakeSeal(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string reason, DecodeText(body));
  return std::make_unique<SealVault>(vault, std::move(reason));
}

MadeAct MakeUnseal(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string reason, DecodeText(body));
  return std::make_unique<UnsealVault>(vault, std::move(reason));
}

}  // namespace strongroom::vault
