// What an auditor asks of vaultd itself: a checkpoint, and that the trail be told who reads it.
#include <memory>
#include <utility>

#include "base/log.h"
#include "vault/field_rules.h"
#include "vault/operations.h"
#include "vault/protocol.h"
#include "vault/trail_rotation.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kMostQuestion = 1000;

// AnchoredText is the checkpoint in the home's anchor, "" where there is none to read.
std::string AnchoredText(const std::string& home) {
  const auto note = audit::Anchor::Read(home + "/" + std::string(kAnchorFile));
  return note ? note->text : std::string();
}

// SignCheckpoint answers with the checkpoint that its own record is under, so it is asked for anew each time.
class SignCheckpoint final : public Act {
 public:
  explicit SignCheckpoint(OpenVault& vault) : vault_(vault) {}

  Result<void> Decide(Store&, base::Micros, audit::Draft&) override {
    // No head of it is kept, and none signed.
    return vault_.trail->standing() == Standing::kSound ? Result<void>() : Refuse(Refusal::kDatabaseOlder);
  }
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(vault_.trail->NewestNote())); }

 private:
  OpenVault& vault_;
};

// NoteRead: the question is the reader's word, and the record names the reader.
class NoteRead final : public Act {
 public:
  explicit NoteRead(std::string question) : question_(std::move(question)) {}

  Result<void> Decide(Store&, base::Micros, audit::Draft& record) override {
    if (!IsText(question_, kMostQuestion)) return Refuse(Refusal::kFieldInvalid);
    record.purpose = question_;
    return {};
  }
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  const std::string question_;
};

// NewOrigin takes the database as it is: older than what was anchored, another, or without an anchor. Nobody can tell what is missing, so
// the log goes on under another name, and its record quotes the last that is known of the one before.
class NewOrigin final : public Act {
 public:
  NewOrigin(OpenVault& vault, std::string reason) : vault_(vault), reason_(std::move(reason)) {}

  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    TRY(TakeReason(reason_, record));
    if (vault_.trail->standing() == Standing::kSound && !vault_.stops->older()) return Refuse(Refusal::kTrailSound);
    TRY_ASSIGN(const auto keys, vault_.Keys());
    TRY_ASSIGN(next_, ReplaceErasedKey(vault_, store, *keys));
    TRY_ASSIGN(name_, vault_.trail->Successor());
    if (next_) {
      TRY_ASSIGN(name_, audit::VerifierKey::Of(name_.name, audit::SignatureType::kEd25519, next_->trail_key->public_key()));
    }
    record.before = audit::Facts{{"checkpoint", AnchoredText(vault_.config.home)}};
    record.after = audit::Facts{{"verifier_key", name_.Print()}};
    TRY(store.PutVerifierKey(vault_.node_id, name_.Print()));
    // Above all that was acknowledged: who kept something asks anew, and the file of stops takes the database for the newest.
    TRY_ASSIGN(new_epoch, store.MoveEpoch(vault_.stops->epoch()));
    return {};
  }
  Result<void> Effect() override {
    if (next_) vault_.held.Put(std::move(next_));
    if (const auto renamed = vault_.trail->Rename(name_, vault_.log->head()); !renamed) {
      base::LogError("new_origin_failed", renamed.error());
      return Refuse(Refusal::kTrailUnavailable);
    }
    vault_.stops->TakeAsIs();
    base::Log(base::Level::kWarning, "new_origin", {{"verifier_key", name_.Print()}});
    return {};
  }
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(name_.Print())); }

 private:
  OpenVault& vault_;
  const std::string reason_;
  audit::VerifierKey name_;
  std::shared_ptr<VaultKeys> next_;  // where the signing key is one that was erased
};

}  // namespace

MadeAct MakeSignCheckpoint(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  if (!body.empty()) return Fail(Code::kInvalidArgument, "a checkpoint is asked for without more");
  return std::make_unique<SignCheckpoint>(vault);
}

MadeAct MakeNewOrigin(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string reason, DecodeText(body));
  return std::make_unique<NewOrigin>(vault, std::move(reason));
}

std::optional<SensitiveAct> BeginsNewOrigin(ByteView body) {
  auto reason = DecodeText(body);
  if (!reason) return std::nullopt;
  return SensitiveAct{"take the database as it is, though its trail is not what was anchored", std::move(*reason), {}, true};
}

MadeAct MakeNoteRead(OpenVault&, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string question, DecodeText(body));
  return std::make_unique<NoteRead>(std::move(question));
}

}  // namespace strongroom::vault
