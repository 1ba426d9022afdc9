#include "vault/trail.h"

#include <utility>

#include "audit/tree.h"
#include "base/log.h"
#include "vault/cipher.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kOrganization = "strongroom";

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

std::string PathOf(const std::string& home, std::string_view file) { return home + "/" + std::string(file); }

// A name that no other log of this vault has had.
std::string NewOrigin(std::string_view vault_id) {
  return OriginOf(vault_id, base::Hex(ByteView(Cipher::RandomNonce()).first(8)));
}

struct Compared {
  Standing standing = Standing::kSound;
  std::int64_t size = 0;  // of the trail
};

Result<void> Compare(sql::Database& database, const audit::Head& anchored, Compared& compared) {
  audit::StoredTree tree(database);
  TRY_ASSIGN(const std::optional<audit::Head> stored, tree.StoredHead());
  compared.size = stored ? stored->size : 0;
  if (compared.size < anchored.size) {
    compared.standing = Standing::kBehind;
    return {};
  }
  const auto edge = audit::EdgeAt(tree, anchored.size);
  const bool records_missing = !edge && edge.error().code() == Code::kNotFound;
  if (!edge && !records_missing) return std::unexpected(edge.error());
  if (records_missing || !(edge->head() == anchored)) compared.standing = Standing::kForked;
  return {};
}

audit::Anchor::Sign Signer(const HeldKeys& keys, const audit::VerifierKey& verifier) {
  return [&keys, verifier](std::string_view body) -> std::string {
    const auto held = keys.Get();
    if (held == nullptr) return "";
    const auto signature = held->trail_key->Sign(body);
    if (!signature) {
      base::LogError("checkpoint_not_signed", signature.error());
      return "";
    }
    return audit::SignatureLine(verifier, *signature);
  };
}

// BeginAgain makes the anchor of a home that was put back, and returns the checkpoint of the one before.
Result<std::string> BeginAgain(const std::string& home, std::string_view vault_id, sql::Database& database) {
  audit::StoredTree tree(database);
  TRY_ASSIGN(const std::optional<audit::Head> head, tree.StoredHead());
  TRY(audit::Anchor::Create(PathOf(home, kAnchorFile), {NewOrigin(vault_id), head.value_or(audit::Head())}));
  const auto before = audit::Anchor::Read(PathOf(home, kOldAnchorFile));
  return before ? before->text : std::string();
}

std::expected<Compared, VaultProblem> CompareOrProblem(const std::string& path, const audit::Checkpoint& anchored,
                                                       sql::Database& database) {
  Compared compared;
  if (const auto read = Compare(database, anchored.head, compared); !read) {
    return Problem("the trail cannot be compared with " + path + ": " + read.error().Message());
  }
  if (compared.standing != Standing::kSound) {
    const std::string_view why = compared.standing == Standing::kBehind ? "the trail is shorter" : "it is another trail";
    base::Log(base::Level::kError, "trail_not_its_anchors",
              {{"why", why}, {"records", compared.size}, {"records_anchored", anchored.head.size}, {"anchor", path}});
  }
  return compared;
}

}  // namespace

std::string OriginOf(std::string_view vault_id, std::string_view joined_node) {
  std::string origin(kOrganization);
  origin += '/';
  origin += vault_id;
  if (!joined_node.empty()) origin += '/';
  origin += joined_node;
  return origin + "/audit";
}

Result<audit::VerifierKey> BeginAnchor(const std::string& home, const std::string& origin, ByteView public_key) {
  TRY_ASSIGN(audit::VerifierKey verifier, audit::VerifierKey::Of(origin, audit::SignatureType::kEd25519, public_key));
  TRY(audit::Anchor::Create(PathOf(home, kAnchorFile), {origin, audit::Head()}));
  return verifier;
}

std::expected<std::unique_ptr<Trail>, VaultProblem> Trail::Open(const std::string& home, std::string_view vault_id, ByteView public_key,
                                                                const HeldKeys& keys, sql::Database& database, bool restored) {
  const std::string path = PathOf(home, kAnchorFile);
  std::optional<std::string> before;
  auto note = audit::Anchor::Read(path);
  if (!note && note.error().code() == Code::kNotFound && restored) {
    auto begun = BeginAgain(home, vault_id, database);
    if (!begun) return Problem("cannot make " + path + ": " + begun.error().Message());
    before = std::move(*begun);
    note = audit::Anchor::Read(path);
  }
  const bool missing = !note && note.error().code() == Code::kNotFound;
  if (!note && !missing) return Problem(path + " was refused: " + note.error().Message());
  const auto checkpoint = missing ? audit::Checkpoint{OriginOf(vault_id), {}} : audit::Checkpoint::Parse(note->text);
  if (!checkpoint) return Problem(path + " was refused: " + checkpoint.error().Message());
  auto verifier = audit::VerifierKey::Of(checkpoint->origin, audit::SignatureType::kEd25519, public_key);
  if (!verifier) return Problem(path + " was refused: " + verifier.error().Message());
  if (missing) {
    base::Log(base::Level::kError, "trail_without_anchor", {{"anchor", path}});
    return std::unique_ptr<Trail>(new Trail(std::move(*verifier), Standing::kMissing));
  }
  const auto compared = CompareOrProblem(path, *checkpoint, database);
  if (!compared) return std::unexpected(compared.error());
  auto anchor = audit::Anchor::Open(path, Signer(keys, *verifier));
  if (!anchor) return Problem(path + " was refused: " + anchor.error().Message());
  std::unique_ptr<Trail> trail(new Trail(std::move(*verifier), compared->standing));
  trail->anchor_ = std::move(*anchor);
  trail->before_ = std::move(before);
  if (compared->standing == Standing::kSound && compared->size > checkpoint->head.size) {
    trail->recovered_ = Tail{checkpoint->head.size, compared->size - 1};
  }
  return trail;
}

Result<void> Trail::Keep(const audit::Head& head) {
  if (standing_ != Standing::kSound) return {};
  return anchor_->Keep(head);
}

void Trail::SignNewest() {
  if (standing_ != Standing::kSound) return;
  if (const auto kept = anchor_->Keep(anchor_->newest().head); !kept) base::LogError("checkpoint_not_signed", kept.error());
}

}  // namespace strongroom::vault
