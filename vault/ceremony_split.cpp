// The first ceremony: a recovery key is made, split, handed out, erased and read back. Not before all of that does anybody
// hear of its public half.
#include <unistd.h>

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

// Written is the files that this run made; they go with it unless they are kept.
class Written {
 public:
  Written() = default;
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() {
    for (const std::string& path : paths_) unlink(path.c_str());
  }
  void Add(const std::string& path) { paths_.push_back(path); }
  void Keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
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
    const auto made = base::CreateDirectory(directory, 0700);
    if (!made) return Problem(directory + ": " + made.error().Message());
  }
  for (const Share& share : shares) {
    const std::string path = directory + "/share-" + std::to_string(share.facts.index);
    if (const auto put = Shares::WriteFile(path, share); !put) return Problem(path + ": " + put.error().Message());
    written.Add(path);
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
