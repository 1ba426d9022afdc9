#include "vault/trail.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

#include "audit/rotation.h"
#include "audit/tree.h"
#include "audit/walk.h"
#include "base/files.h"
#include "base/log.h"
#include "vault/cipher.h"

namespace strongroom::vault {
namespace {

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

std::string PathOf(const std::string& home, std::string_view file) { return home + "/" + std::string(file); }

// A name that no other log of this vault has had.
std::string NewOrigin(const base::Config& config, std::string_view vault_id) {
  return OriginOf(config.audit.organization, vault_id, base::Hex(ByteView(Cipher::RandomNonce()).first(8)));
}

// MakeWay gives a file that is there another name, the first of PATH-1, PATH-2 … that is free: an older signed checkpoint is evidence.
Result<void> MakeWay(const std::string& path) {
  constexpr int kMost = 10'000;
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return {};
  for (int number = 1; number < kMost; ++number) {
    const std::string free = path + "-" + std::to_string(number);
    if (renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, free.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno != EEXIST) break;
  }
  return Fail(Code::kUnavailable, "the older anchor cannot be put aside: errno", errno);
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

Result<std::string> LineOf(const TrailKey& key, const std::string& origin, std::string_view body) {
  TRY_ASSIGN(const audit::VerifierKey verifier, audit::VerifierKey::Of(origin, audit::SignatureType::kEd25519, key.public_key()));
  TRY_ASSIGN(const Bytes signature, key.Sign(body));
  return audit::SignatureLine(verifier, signature);
}

Result<std::string> LinesOf(const VaultKeys& keys, const std::string& origin, std::string_view body) {
  std::string lines;
  if (keys.old_trail_key != nullptr) {
    TRY_ASSIGN(lines, LineOf(*keys.old_trail_key, origin, body));
  }
  TRY_ASSIGN(const std::string line, LineOf(*keys.trail_key, origin, body));
  return lines + line;
}

// While a rotation is under way both keys sign, the old one first.
audit::Anchor::Sign Signer(const HeldKeys& keys, const std::string& origin) {
  return [&keys, origin](std::string_view body) -> std::string {
    const auto held = keys.Get();
    if (held == nullptr) return "";
    const auto lines = LinesOf(*held, origin, body);
    if (lines) return *lines;
    base::LogError("checkpoint_not_signed", lines.error());
    return "";
  };
}

// Signers is whose signature makes a checkpoint this log's: the key in force, and, up to the record that it was erased, each before it.
struct Signers {
  audit::VerifierKey verifier;
  std::vector<audit::Rotation> rotations;

  bool Signed(const audit::Note& note) const {
    if (audit::CheckSignature(note, verifier) == audit::Signed::kYes) return true;
    const auto checkpoint = audit::Checkpoint::Parse(note.text);
    const auto signed_before = [&](const audit::Rotation& rotation) {
      return checkpoint && rotation.before.name == verifier.name && audit::CheckSignature(note, rotation.before) == audit::Signed::kYes &&
             checkpoint->head.size <= audit::RangeOf(rotation.before, rotations).to;
    };
    return std::any_of(rotations.begin(), rotations.end(), signed_before);
  }
};

// BeginAgain makes the anchor of a home that was put back.
Result<void> BeginAgain(const base::Config& config, std::string_view vault_id, sql::Database& database) {
  audit::StoredTree tree(database);
  TRY_ASSIGN(const std::optional<audit::Head> head, tree.StoredHead());
  return audit::Anchor::Create(PathOf(config.home, kAnchorFile), {NewOrigin(config, vault_id), head.value_or(audit::Head())});
}

// HasName is whether the log goes by this name, by its own records. The record of a new one is of the same start as its anchor, or, of
// `keytool new-origin`, comes before it: only a home that was put back may have been ended between the two.
Result<bool> HasName(sql::Database& database, const std::string& origin) {
  TRY_ASSIGN(const auto named, audit::NamedKeysOf(database));
  return named.empty() || named.back().key.name == origin;
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

// Published is what stands in the directory of published checkpoints under this log's name, signed by its key: the newest, and the first
// of the newest hour.
std::vector<std::pair<std::string, audit::Checkpoint>> Published(const base::Config& config, const Signers& signers) {
  std::vector<std::string> files;
  std::string newest_hour;
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry(config.audit.checkpoints, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (name == kNewestCheckpoint) files.push_back(entry->path().string());
    const bool hourly = name.starts_with(std::string(kNewestCheckpoint) + "-") && name.ends_with("Z");
    if (hourly && name > newest_hour) newest_hour = name;
  }
  if (!newest_hour.empty()) files.push_back((std::filesystem::path(config.audit.checkpoints) / newest_hour).string());
  std::vector<std::pair<std::string, audit::Checkpoint>> published;
  for (const std::string& file : files) {
    const auto text = base::ReadFile(file, audit::kMostNoteBytes);
    const auto note = text ? audit::Note::Parse(*text) : Fail(text.error());
    if (!note || !signers.Signed(*note)) continue;
    auto checkpoint = audit::Checkpoint::Parse(note->text);
    if (checkpoint && checkpoint->origin == signers.verifier.name) published.emplace_back(file, std::move(*checkpoint));
  }
  return published;
}

// CompareAll holds the trail against the anchor, its newest head last, and before that against whatever else this vault has signed and is still here: an
// anchor can be put back together with the database.
std::expected<Compared, VaultProblem> CompareAll(const base::Config& config, const std::string& path, const std::vector<audit::Note>& anchored,
                                                 const Signers& signers, sql::Database& database) {
  auto known = Published(config, signers);
  for (auto note = anchored.rbegin(); note != anchored.rend(); ++note) {
    auto checkpoint = audit::Checkpoint::Parse(note->text);
    if (checkpoint) known.emplace_back(path, std::move(*checkpoint));
  }
  Compared compared;
  for (const auto& [file, checkpoint] : known) {
    auto held = CompareOrProblem(file, checkpoint, database);
    if (!held || held->standing != Standing::kSound) return held;
    compared = *held;
  }
  return compared;
}

// Found is what the anchor is by itself: kSound where it has a name and a size.
struct Found {
  audit::VerifierKey verifier;
  Standing standing = Standing::kSound;
  std::int64_t size = 0;
};

// FindAnchor reads the anchor, or makes that of a home that was put back.
std::expected<Found, VaultProblem> FindAnchor(const base::Config& config, std::string_view vault_id, ByteView public_key,
                                              sql::Database& database, bool restored) {
  const std::string path = PathOf(config.home, kAnchorFile);
  auto note = audit::Anchor::Read(path);
  if (!note && note.error().code() == Code::kNotFound && restored) {
    const auto begun = BeginAgain(config, vault_id, database);
    if (!begun) return Problem("cannot make " + path + ": " + begun.error().Message());
    note = audit::Anchor::Read(path);
  }
  const bool missing = !note && note.error().code() == Code::kNotFound;
  if (!note && !missing && note.error().code() != Code::kCorrupt) return Problem(path + " cannot be read: " + note.error().Message());
  const auto checkpoint = note ? audit::Checkpoint::Parse(note->text) : Fail(note.error());
  if (note && !checkpoint) return Problem(path + " was refused: " + checkpoint.error().Message());
  const auto named = [&](const std::string& origin) { return audit::VerifierKey::Of(origin, audit::SignatureType::kEd25519, public_key); };
  if (checkpoint) {
    if (auto verifier = named(checkpoint->origin)) return Found{std::move(*verifier), Standing::kSound, checkpoint->head.size};
  }
  auto first = named(OriginOf(config.audit.organization, vault_id));
  if (!first) return Problem(path + " was refused: " + first.error().Message());
  if (missing) {
    base::Log(base::Level::kError, "trail_without_anchor", {{"anchor", path}});
    return Found{std::move(*first), Standing::kMissing};
  }
  const Error why = note ? Error(Code::kCorrupt, "its log's name is none") : note.error();
  base::LogError("anchor_tells_nothing", why, {{"anchor", path}});
  return Found{std::move(*first), Standing::kForged};
}

std::string OldAnchorText(const std::string& home) {
  const auto before = audit::Anchor::Read(PathOf(home, kOldAnchorFile));
  return before ? before->text : std::string();
}

}  // namespace

std::string_view StandingName(Standing standing) {
  switch (standing) {
    case Standing::kSound: return "sound";
    case Standing::kMissing: return "missing";
    case Standing::kBehind: return "behind";
    case Standing::kForked: return "forked";
    case Standing::kForged: return "forged";
  }
  CHECK(false && "a standing without a name");
  return {};
}

std::string OriginOf(std::string_view organization, std::string_view vault_id, std::string_view joined_node) {
  std::string origin(organization);
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

std::expected<std::unique_ptr<Trail>, VaultProblem> Trail::Open(const base::Config& config, std::string_view vault_id, ByteView public_key,
                                                                const HeldKeys& keys, sql::Database& database, bool restored) {
  const std::string path = PathOf(config.home, kAnchorFile);
  auto found = FindAnchor(config, vault_id, public_key, database, restored);
  if (!found) return std::unexpected(found.error());
  const auto standing_as = [&](Standing standing) {
    return std::unique_ptr<Trail>(new Trail(config, vault_id, keys, std::move(found->verifier), standing));
  };
  if (found->standing != Standing::kSound) return standing_as(found->standing);
  const auto anchored = audit::Anchor::ReadAll(path);
  if (!anchored) return Problem(path + " cannot be read: " + anchored.error().Message());
  auto rotations = audit::RotationsOf(database);
  const auto has_name = HasName(database, found->verifier.name);
  if (!rotations || !has_name) return Problem("the trail cannot be read: " + (rotations ? has_name.error() : rotations.error()).Message());
  const Signers signers{found->verifier, std::move(*rotations)};
  for (const audit::Note& each : *anchored) {
    if (each.signatures.empty() || signers.Signed(each)) continue;
    base::Log(base::Level::kError, "anchor_not_this_vaults", {{"anchor", path}});
    return standing_as(Standing::kForged);
  }
  const auto compared = CompareAll(config, path, *anchored, signers, database);
  if (!compared) return std::unexpected(compared.error());
  // Under another name nothing that was published would count against it.
  if (compared->standing == Standing::kSound && !*has_name && !restored) {
    base::Log(base::Level::kError, "anchor_of_another_name", {{"anchor", path}, {"name", found->verifier.name}});
    return standing_as(Standing::kForged);
  }
  auto anchor = audit::Anchor::Open(path, Signer(keys, found->verifier.name));
  if (!anchor) return Problem(path + " was refused: " + anchor.error().Message());
  std::unique_ptr<Trail> trail = standing_as(compared->standing);
  trail->anchor_ = std::move(*anchor);
  if (!*has_name && compared->standing == Standing::kSound) trail->before_ = OldAnchorText(config.home);
  trail->size_ = found->size;
  if (compared->standing == Standing::kSound && compared->size > found->size) trail->recovered_ = Tail{found->size, compared->size - 1};
  return trail;
}

std::shared_ptr<audit::Anchor> Trail::Sound() const {
  const std::lock_guard lock(mutex_);
  return standing() == Standing::kSound ? anchor_ : nullptr;
}

std::string Trail::NewestNote() const {
  const auto anchor = Sound();
  return anchor == nullptr ? std::string() : anchor->newest_note();
}

audit::VerifierKey Trail::verifier() const {
  const auto held = keys_.Get();
  const std::lock_guard lock(mutex_);
  if (held == nullptr) return verifier_;
  auto verifier = audit::VerifierKey::Of(verifier_.name, audit::SignatureType::kEd25519, held->trail_key->public_key());
  return verifier ? std::move(*verifier) : verifier_;
}

Result<audit::VerifierKey> Trail::Successor() const {
  const auto held = keys_.Get();
  if (held == nullptr) return Fail(Code::kNotFound, "the trail's key is under a KEK that is not in memory");
  return audit::VerifierKey::Of(NewOrigin(config_, vault_id_), audit::SignatureType::kEd25519, held->trail_key->public_key());
}

Result<void> Trail::Rename(const audit::VerifierKey& name, const audit::Head& head) {
  const std::string path = PathOf(config_.home, kAnchorFile);
  const std::string old = PathOf(config_.home, kOldAnchorFile);
  TRY(MakeWay(old));
  if (rename(path.c_str(), old.c_str()) != 0 && errno != ENOENT) {
    return Fail(Code::kUnavailable, "the anchor cannot be put aside: errno", errno);
  }
  TRY(audit::Anchor::Create(path, {name.name, head}));
  TRY_ASSIGN(auto anchor, audit::Anchor::Open(path, Signer(keys_, name.name)));
  {
    const std::lock_guard lock(mutex_);
    anchor_ = std::move(anchor);
    verifier_ = name;
  }
  size_ = head.size;
  standing_ = Standing::kSound;
  return KeepSigned();
}

Result<void> Trail::Keep(const audit::Head& head) {
  const auto anchor = Sound();
  if (anchor == nullptr) return {};
  TRY(anchor->Keep(head));
  size_ = head.size;
  return {};
}

Result<void> Trail::SignAgain() {
  const auto anchor = Sound();
  return anchor == nullptr ? Result<void>() : anchor->SignAgain();
}

Result<void> Trail::KeepSigned() {
  const auto anchor = Sound();
  return anchor == nullptr ? Result<void>() : anchor->Keep(anchor->newest().head);
}

}  // namespace strongroom::vault
