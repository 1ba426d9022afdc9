// The command line of auditlog as its commands share it: what they were told, how they answer, and whose keys they check with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/live.h"
#include "audit/logs.h"
#include "audit/note.h"
#include "audit/reader.h"
#include "audit/verifier.h"
#include "audit/walk.h"
#include "sql/database.h"

namespace strongroom::audit {

inline constexpr int kExitDone = 0;
inline constexpr int kExitBad = 1;        // does not verify; or refused, failed
inline constexpr int kExitUnchecked = 2;  // could not check; or the arguments make no sense
inline constexpr int kExitUnsigned = 3;   // verified, but nothing vouches for the end

// Arguments is what the command line said.
struct Arguments : Sources {
  // search
  std::optional<std::string> since, until;
  Filter filter;
  // verify and prove
  std::string bundle, vkey, checkpoint, proof, record, uses;
  std::vector<std::string> checkpoints, witnesses;
  std::optional<std::size_t> quorum;
  std::int64_t seq = 0, old_size = 0;
  std::optional<std::int64_t> new_size;
};

void Print(std::string_view text);
// Flushed says whether all that was printed got out, and complains where it did not: what a failed fwrite lost, fflush does not know of.
bool Flushed();
void Complain(std::string_view problem);
// TellPruned complains of what an answer may lack.
void TellPruned(const std::vector<Log>& logs, std::optional<base::Micros> since);

// ReadsHome is true where it is a home that is looked at, with the anchor that belongs to it.
bool ReadsHome(const Arguments& arguments);
std::string AnchorPath(const Arguments& arguments);
// ReadAnchor is the home's anchor; nullopt where there is none.
Result<std::optional<Claim>> ReadAnchor(const Arguments& arguments);

// ReadKey reads a verifier key: the text itself, or a file with it on its first line.
OrProblem<VerifierKey> ReadKey(const std::string& text, SignatureType type);

// PublicKeyOf is the public key that a database says its log is signed with, the node's own where it has one; empty where there is none.
Result<Bytes> PublicKeyOf(sql::Database& database);
// FindLog is the log whose records name an origin; in a file the only one there is, whatever it names. nullptr where there is none.
Result<const Log*> FindLog(const std::vector<Log>& logs, const std::string& origin);

// Given is what the command line brings along to verify with.
struct Given {
  std::optional<VerifierKey> key;
  std::vector<Claim> claims;
  std::vector<VerifierKey> witnesses;
  std::size_t quorum = 0;
};
OrProblem<Given> ReadGiven(const Arguments& arguments);
// CouldNotCheck says why, and returns kExitUnchecked.
int CouldNotCheck(const Arguments& arguments, const std::string& problem);

int RunVerify(const Arguments& arguments);
// RunVerifyProof checks a proof that `prove inclusion` printed: with the record and the key alone.
int RunVerifyProof(const Arguments& arguments, const Given& given);
// RunVerifyUses checks the list of a key's uses that `keytool compromise` wrote: with the key alone.
int RunVerifyUses(const Arguments& arguments, const Given& given);
int RunProveInclusion(const Arguments& arguments);
int RunProveConsistency(const Arguments& arguments);
int RunVkey(const Arguments& arguments);
// RunCheckpoint prints what `live` signs; where it does not answer, the home's anchor.
int RunCheckpoint(const Arguments& arguments, Live* live);
// Recorded has a read of the home's trail recorded; false where vaultd refuses. One that is away is said, and not waited for.
bool Recorded(const Arguments& arguments, Live* live, const std::string& question);

}  // namespace strongroom::audit
