// The first ceremony: a recovery key is made, split, handed out, erased and read back. Not before all of that does anybody
// hear of its public half.
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <filesystem>

#include "base/files.h"
#include "vault/ceremony.h"
#include "vault/ceremony_terminal.h"
#include "vault/gathering.h"
#include "vault/protocol.h"
#include "vault/recovery.h"
#include "vault/sealed_box.h"
#include "vault/shares.h"

namespace strongroom::vault {
namespace {

using Done = std::expected<void, VaultProblem>;

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// HeldBack keeps these signals waiting while it lives.
class HeldBack {
 public:
  HeldBack() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : kSignals) sigaddset(&signals, number);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  HeldBack(const HeldBack&) = delete;
  HeldBack& operator=(const HeldBack&) = delete;
  ~HeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// Written is the files that this run made, and perhaps their directory; they go with it unless they are kept, by a signal too.
// One at a time: signal handlers belong to the process.
class Written {
 public:
  Written() {
    const HeldBack held;
    for (const int number : kSignals) signal(number, &Die);
  }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() {
    const HeldBack held;
    TakeAway();
    for (const int number : kSignals) signal(number, SIG_DFL);
  }
  Result<void> Put(const std::string& path, const Share& share) {
    const HeldBack held;
    TRY(Shares::WriteFile(path, share));
    Copy(path, paths_[files_]);
    ++files_;
    return {};
  }
  Result<void> Make(const std::string& path) {
    const HeldBack held;
    TRY(base::CreateDirectory(path, 0700));
    Copy(path, directory_);
    return {};
  }
  void Keep() {
    const HeldBack held;
    files_ = 0;
    directory_.front() = '\0';
  }

 private:
  // What a signal handler may look at: no string of ours.
  using Path = std::array<char, PATH_MAX>;
  static inline std::array<Path, kMostShares> paths_{};
  static inline std::size_t files_ = 0;
  static inline Path directory_{};

  static void Copy(const std::string& from, Path& to) { to[from.copy(to.data(), to.size() - 1)] = '\0'; }
  static void TakeAway() {
    for (std::size_t i = 0; i < files_; ++i) unlink(paths_[i].data());
    files_ = 0;
    if (directory_.front() != '\0') rmdir(directory_.data());
    directory_.front() = '\0';
  }
  static void Die(int number) {
    TakeAway();
    signal(number, SIG_DFL);
    raise(number);
  }
};

std::string CheckOptions(const CeremonyOptions& options) {
  if (options.threshold < kLeastThreshold || options.threshold > options.shares || options.shares > kMostShares) {
    return "there are 2 to 32 shares, and 2 of them or more open the vault";
  }
  if (!options.custodians.empty() && std::ssize(options.custodians) != options.shares) {
    return "name as many custodians as there are shares, or none";
  }
  for (const std::string& name : options.custodians) {
    if (!IsCustodian(name)) return "a custodian's name is one line of at most 60 bytes";
  }
  if (options.files.empty() || std::ssize(options.files) == options.shares) return "";
  return "every share is read back: name as many files as there are shares";
}

// RowOf is the set as vaultd will know it.
Result<RecoverySetRow> RowOf(const CeremonyOptions& options, const Bytes& public_key, const std::vector<Share>& shares) {
  RecoverySetRow row;
  row.set_id = SetIdOf(public_key);
  row.public_key = public_key;
  row.threshold = options.threshold;
  for (const Share& share : shares) {
    TRY_ASSIGN(const Bytes digest, Shares::DigestOf(share));
    row.digests.insert(row.digests.end(), digest.begin(), digest.end());
  }
  for (const std::string& name : options.custodians) row.custodians += (row.custodians.empty() ? "" : "\n") + name;
  return row;
}

struct Split {
  Split(RecoverySetRow its_row, std::vector<Share> its_shares) : row(std::move(its_row)), shares(std::move(its_shares)) {}
  RecoverySetRow row;
  std::vector<Share> shares;
};

// The private half is gone when this returns: from then on there are only shares.
Result<Split> MakeAndSplit(const CeremonyOptions& options) {
  TRY_ASSIGN(const SealedBox::KeyPair pair, SealedBox::Generate());
  const ShareFacts facts{SetIdOf(pair.public_key), 1, options.shares, options.threshold, ""};
  TRY_ASSIGN(std::vector<Share> shares, Shares::Split(pair.private_key.View(), facts));
  for (std::size_t i = 0; i < options.custodians.size(); ++i) shares[i].facts.custodian = options.custodians[i];
  TRY_ASSIGN(RecoverySetRow row, RowOf(options, pair.public_key, shares));
  return Split(std::move(row), std::move(shares));
}

Done HandOutFiles(const std::string& directory, const std::vector<Share>& shares, Written& written) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    const auto made = written.Make(directory);
    if (!made) return Problem(directory + ": " + made.error().Message());
  }
  for (const Share& share : shares) {
    const std::string path = directory + "/share-" + std::to_string(share.facts.index);
    const auto put = written.Put(path, share);
    if (!put && put.error().code() == Code::kAlreadyExists) {
      return Problem(path + ": is there already, and no share is written over: name a new directory with --out, or take the old "
                            "shares away first, if they are of no set in force");
    }
    if (!put) return Problem(path + ": " + put.error().Message());
  }
  if (const auto synced = base::SyncDirectory(directory); !synced) return Problem(directory + ": " + synced.error().Message());
  return {};
}

Done HandOutOnScreen(const std::vector<Share>& shares) {
  auto terminal = CeremonyTerminal::Open();
  if (!terminal) return Problem(terminal.error().Message());
  for (const Share& share : shares) {
    if (const auto shown = (*terminal)->Show(share); !shown) return Problem(shown.error().Message());
  }
  return {};
}

std::string Answer(const RecoverySetRow& row) {
  PutRecoveryRequest request;
  request.public_key = base::Hex(row.public_key);
  request.threshold = row.threshold;
  for (std::size_t at = 0; at < row.digests.size(); at += kDigestBytes) {
    request.digests.push_back(base::Hex(ByteView(row.digests).subspan(at, kDigestBytes)));
  }
  request.custodians = row.custodians;
  return base::Hex(request.Encode());
}

}  // namespace

CeremonyOutcome SplitRecoveryKey(const CeremonyOptions& options) {
  if (const std::string wrong = CheckOptions(options); !wrong.empty()) return Problem(wrong);
  auto split = MakeAndSplit(options);
  if (!split) return Problem(split.error().Message());
  Written written;
  TRY(options.out.empty() ? HandOutOnScreen(split->shares) : HandOutFiles(options.out, split->shares, written));
  // What is read back must not be what is still in memory.
  split->shares.clear();
  Gathering gathering(split->row, {});
  TRY(options.files.empty() ? gathering.FromTerminal(gathering.made()) : gathering.FromFiles(options.files));
  TRY(gathering.PrivateKey());
  written.Keep();
  return Answer(split->row);
}

}  // namespace strongroom::vault
