#include "vault/backup.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "sql/database.h"
#include "vault/file_copy.h"
#include "vault/fresh_home.h"
#include "vault/house_user.h"
#include "vault/manifest.h"
#include "vault/store.h"
#include "vault/trail.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

using Done = std::expected<void, VaultProblem>;

constexpr std::string_view kPartial = ".partial";
constexpr std::size_t kMostShown = 100;  // of a path that is refused

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }
std::unexpected<VaultProblem> Problem(const std::string& about, const Error& error) { return Problem(about + ": " + error.Message()); }

std::string Url(const std::string& directory, std::string_view file) { return "sqlite:" + directory + "/" + std::string(file); }

// A path that cannot be resolved must not pass for a short one: it would be compared with the home's and the KEKs' as that.
std::expected<fs::path, VaultProblem> Canonical(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  fs::path whole = error ? fs::path() : fs::weakly_canonical(absolute, error);
  if (error || path.empty()) {
    const std::string shown = path.size() > kMostShown ? path.substr(0, kMostShown) + "..." : path;
    return Problem("the path '" + shown + "' cannot be used: " + (error ? error.message() : "it is empty") + "; name another");
  }
  // A name that ends in a slash has an empty last part.
  return whole.has_filename() ? whole : whole.parent_path();
}

bool IsIn(const fs::path& inner, const fs::path& outer) {
  const auto [at, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return at == outer.end();
}

// A KEK beside what it opens is no protection: whoever has the backup must not have it too.
Done CheckPlace(const base::Config& config, const fs::path& target) {
  std::error_code ignored;
  TRY_ASSIGN(fs::path kek, Canonical(config.vault.kek_path));
  TRY_ASSIGN(const fs::path home, Canonical(config.home));
  if (!fs::is_directory(kek, ignored)) kek = kek.parent_path();
  for (const auto& [place, name] : {std::pair{kek, "the KEKs' directory"}, std::pair{home, "the home"}}) {
    if (!IsIn(target, place) && !IsIn(place, target)) continue;
    return Problem(target.native() + " is in or around " + name + " (" + place.native() +
                   "): a backup must not lie where the KEK lies, name a directory elsewhere");
  }
  if (!fs::exists(target, ignored)) return {};
  if (fs::is_directory(target, ignored) && fs::is_empty(target, ignored)) return {};
  return Problem(target.native() + " is there and is not empty: name a new directory");
}

Done CheckDatabases(const base::Config& config) {
  if (config.vault.database == Url(config.home, kVaultFile) && config.database == Url(config.home, kWorkFile)) return {};
  return Problem("only vault.db and strongroom.db in the home are backed up by this, and strongroom.toml names others: back "
                 "those up with their engine's own tools");
}

// What a backup that was interrupted left behind is taken away; anything else is not ours to touch.
Done MakePartial(const std::string& path) {
  std::error_code ignored;
  for (const std::string_view name : {kVaultFile, kWorkFile, kAnchorName, kStopsFile, kConfigFile, kManifestFile}) {
    // What SQLite keeps beside a database, and a file that was not yet in its place, too.
    for (const char* suffix : {"", "-journal", "-wal", "-shm", ".new"}) {
      fs::remove(path + "/" + std::string(name) + suffix, ignored);
    }
  }
  fs::remove(path, ignored);
  const auto made = base::CreateDirectory(path, 0700);
  if (!made) return Problem("cannot make " + path, made.error());
  return {};
}

class Backup {
 public:
  Backup(const base::Config& config, std::string directory) : config_(config), directory_(std::move(directory)) {}

  // The stops first: were they newer than the database beside them, that would be refused as an older one.
  Done Run() {
    TRY(Copy(kAnchorName));
    TRY(Copy(kStopsFile));
    TRY(Copy(kConfigFile));
    TRY(CopyDatabase(config_.database, kWorkFile));
    TRY(CopyDatabase(config_.vault.database, kVaultFile));
    TRY(Describe());
    const std::string path = directory_ + "/" + std::string(kManifestFile);
    const auto written = base::WriteFileAtomic(path, PrintManifest(manifest_), 0600);
    if (!written) return Problem("cannot write " + path, written.error());
    return {};
  }
  const Manifest& manifest() const { return manifest_; }

 private:
  std::string PathOf(std::string_view file) const { return directory_ + "/" + std::string(file); }
  void Add(std::string_view file, const FileFacts& facts) {
    manifest_.files.push_back({std::string(file), facts.size, facts.sha256});
  }

  Done Copy(std::string_view file) {
    const std::string from = config_.home + "/" + std::string(file);
    const auto copied = CopyFile(from, PathOf(file), 0600);
    // A vault that never served has no stops yet.
    if (!copied && file == kStopsFile && copied.error().code() == Code::kNotFound) return {};
    if (!copied) return Problem("cannot copy " + from, copied.error());
    Add(file, *copied);
    return {};
  }

  Done CopyDatabase(const std::string& url, std::string_view file) {
    sql::OpenOptions reading;
    reading.access = sql::Access::kReadOnly;
    const auto database = sql::Open(url, reading);
    if (!database) return Problem("cannot open " + std::string(file), database.error());
    if (const auto copied = sql::CopyDatabase(**database, PathOf(file)); !copied) {
      return Problem("cannot copy " + std::string(file) + " to " + PathOf(file), copied.error());
    }
    const auto hashed = HashFile(PathOf(file));
    if (!hashed) return Problem("cannot read " + PathOf(file), hashed.error());
    Add(file, *hashed);
    return {};
  }

  // What the copy says of itself, not what the database says by now.
  Done Describe() {
    sql::OpenOptions reading;
    reading.access = sql::Access::kReadOnly;
    const auto database = sql::Open(Url(directory_, kVaultFile), reading);
    if (!database) return Problem("cannot open the copy of vault.db", database.error());
    Store store(**database);
    const auto vault = store.FindVault();
    const auto record = store.NewestRecord();
    if (!vault || !record) return Problem("cannot read the copy of vault.db", vault ? record.error() : vault.error());
    manifest_.vault_id = vault->vault_id;
    manifest_.epoch = vault->epoch;
    manifest_.record = *record;
    manifest_.made_at = base::WallMicros();
    return {};
  }

  const base::Config& config_;
  const std::string directory_;
  Manifest manifest_;
};

std::string Report(const Manifest& manifest, const std::string& directory) {
  nlohmann::ordered_json json;
  json["directory"] = directory;
  json["vault_id"] = manifest.vault_id;
  json["made_at"] = base::FormatTime(manifest.made_at);
  json["epoch"] = manifest.epoch;
  json["record"] = manifest.record;
  json["files"] = nlohmann::ordered_json::array();
  std::int64_t bytes = 0;
  for (const ManifestFile& file : manifest.files) {
    json["files"].push_back(file.name);
    bytes += file.size;
  }
  json["bytes"] = bytes;
  return json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

}  // namespace

std::expected<std::string, VaultProblem> BackUp(const base::Config& config, const std::string& directory) {
  if (const std::string wrong = WrongUser(config, "this"); !wrong.empty()) return Problem(wrong);
  TRY_ASSIGN(const fs::path target, Canonical(directory));
  TRY(CheckPlace(config, target));
  TRY(CheckDatabases(config));
  const std::string partial = target.native() + std::string(kPartial);
  TRY(MakePartial(partial));
  Backup backup(config, partial);
  if (const auto run = backup.Run(); !run) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    return std::unexpected(run.error());
  }
  // An empty directory of that name is replaced by the whole one.
  if (rename(partial.c_str(), target.c_str()) != 0) return Problem("cannot put " + partial + " in its place, " + target.native());
  if (const auto synced = base::SyncDirectory(target.parent_path()); !synced) return Problem(target.native(), synced.error());
  return Report(backup.manifest(), target.native());
}

namespace {

// PuttingBack is one restore of a home.
class PuttingBack {
 public:
  PuttingBack(std::string home, std::string directory) : home_(std::move(home)), directory_(std::move(directory)) {}

  Done Check();
  Done Run();
  const Manifest& manifest() const { return manifest_; }

 private:
  Done CheckHome() const;
  Done CheckConfig() const;
  Done Put(const ManifestFile& file);
  std::string From(std::string_view file) const { return directory_ + "/" + std::string(file); }
  std::string To(std::string_view file) const { return home_ + "/" + std::string(file); }

  const std::string home_, directory_;
  std::string text_;
  Manifest manifest_;
};

// Everything is looked at before anything is made.
Done PuttingBack::Check() {
  auto text = base::ReadFile(From(kManifestFile), 64 << 10);
  if (!text) return Problem(From(kManifestFile), text.error());
  auto manifest = ParseManifest(*text);
  if (!manifest) return Problem(From(kManifestFile) + " is not what a backup writes");
  text_ = std::move(*text);
  manifest_ = std::move(*manifest);
  for (const std::string_view name : {kVaultFile, kWorkFile, kConfigFile}) {
    const bool listed = std::any_of(manifest_.files.begin(), manifest_.files.end(), [&](const ManifestFile& file) { return file.name == name; });
    if (!listed) return Problem(From(kManifestFile) + " does not list " + std::string(name));
  }
  for (const ManifestFile& file : manifest_.files) {
    const auto facts = HashFile(From(file.name));
    if (!facts) return Problem(From(file.name), facts.error());
    if (facts->size == file.size && facts->sha256 == file.sha256) continue;
    return Problem(From(file.name) + " is not the file that was backed up: its size or its SHA-256 is another than in " +
                   std::string(kManifestFile));
  }
  TRY(CheckConfig());
  return CheckHome();
}

Done PuttingBack::CheckConfig() const {
  auto config = base::LoadConfig(directory_);
  if (!config) return Problem(config.error().text);
  if (const std::string wrong = WrongUser(*config, "this"); !wrong.empty()) return Problem(wrong);
  return CheckDatabases(*config);
}

// A home is a home by its strongroom.toml, which is put there last.
Done PuttingBack::CheckHome() const {
  if (IsThere(To(kConfigFile))) return Problem("this home already has a vault: " + home_);
  const auto begun = base::ReadFile(To(kQuarantineFile), 64 << 10);
  if (begun && *begun == text_) return {};
  // A write-ahead log that is left of another database would be taken for the restored one's.
  for (const char* name : {"vault.db", "vault.db-wal", "vault.db-journal", "strongroom.db", "strongroom.db-wal",
                           "strongroom.db-journal", "stops", "quarantine", "anchor", "anchor.before"}) {
    if (IsThere(To(name))) return Problem("this home already has part of a vault: " + To(name) + "; move it away first");
  }
  return {};
}

Done PuttingBack::Put(const ManifestFile& file) {
  // The log of that home may have gone on: this one's gets another name, and an anchor of its own.
  const std::string to = To(file.name == kAnchorName ? kOldAnchorFile : std::string_view(file.name)), temporary = to + ".new";
  unlink(temporary.c_str());
  // The work database is its group's as well, and the group reads the configuration.
  const mode_t mode = file.name == kWorkFile ? 0660 : file.name == kConfigFile ? 0640 : 0600;
  const auto copied = CopyFile(From(file.name), temporary, mode);
  if (!copied) return Problem("cannot copy " + From(file.name) + " to " + temporary, copied.error());
  if (copied->sha256 != file.sha256) return Problem(From(file.name) + " was changed while it was read");
  if (const auto put = base::PutInPlace(temporary, to); !put) return Problem(to, put.error());
  return {};
}

Done PuttingBack::Run() {
  Made made;
  TRY(MakeHome(home_, made));
  made.Keep();
  // First of all, so that no vaultd ever serves from what follows as if it had never been away.
  const auto quarantined = base::WriteFileAtomic(To(kQuarantineFile), text_, 0600);
  if (!quarantined) return Problem(To(kQuarantineFile), quarantined.error());
  const ManifestFile* config = nullptr;
  for (const ManifestFile& file : manifest_.files) {
    if (file.name == kConfigFile) config = &file;
    else TRY(Put(file));
  }
  const std::string kek = home_ + "/kek";
  if (const auto there = base::CreateDirectory(kek, 0700); !there && there.error().code() != Code::kAlreadyExists) {
    return Problem("cannot make " + kek, there.error());
  }
  CHECK(config != nullptr);
  return Put(*config);
}

}  // namespace

std::expected<std::string, VaultProblem> PutBack(const std::string& home, const std::string& directory) {
  TRY_ASSIGN(const fs::path from, Canonical(directory));
  PuttingBack putting(home, from.native());
  TRY(putting.Check());
  TRY(putting.Run());
  return Report(putting.manifest(), home);
}

}  // namespace strongroom::vault
