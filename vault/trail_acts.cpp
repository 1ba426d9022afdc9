// What an auditor asks of vaultd itself: a checkpoint, and that the trail be told who reads it.
#include <utility>

#include "vault/field_rules.h"
#include "vault/operations.h"
#include "vault/protocol.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kMostQuestion = 1000;

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

}  // namespace

MadeAct MakeSignCheckpoint(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  if (!body.empty()) return Fail(Code::kInvalidArgument, "a checkpoint is asked for without more");
  return std::make_unique<SignCheckpoint>(vault);
}

MadeAct MakeNoteRead(OpenVault&, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(std::string question, DecodeText(body));
  return std::make_unique<NoteRead>(std::move(question));
}

}  // namespace strongroom::vault
