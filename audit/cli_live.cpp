// What auditlog asks of vaultd: that a read be recorded, and a checkpoint.
#include <cstdio>
#include <utility>

#include "audit/cli_arguments.h"
#include "base/log.h"

namespace strongroom::audit {
namespace {

int PrintClaim(const Arguments& arguments, const Claim& claim) {
  const std::string note = claim.note.Print();
  if (!arguments.json) {
    Print(note);
  } else {
    const Checkpoint& checkpoint = claim.checkpoint;
    std::string out = R"({"origin":)";
    base::AppendJsonString(out, checkpoint.origin);
    out += R"(,"size":)" + std::to_string(checkpoint.head.size) + R"(,"root":")" + Base64(checkpoint.head.root) + R"(","note":)";
    base::AppendJsonString(out, note);
    Print(out + "}\n");
  }
  return Flushed() ? kExitDone : kExitBad;
}

OrProblem<Claim> Kept(const Arguments& arguments) {
  auto anchor = ReadAnchor(arguments);
  if (!anchor) return std::unexpected(AnchorPath(arguments) + ": " + anchor.error().Message());
  if (!*anchor) return std::unexpected(AnchorPath(arguments) + " is missing");
  if ((*anchor)->note.signatures.empty()) return std::unexpected(AnchorPath(arguments) + " is not signed: the vault is sealed (keytool unseal)");
  return std::move(**anchor);
}

}  // namespace

bool Recorded(const Arguments& arguments, Live* live, const std::string& question) {
  if (live == nullptr || !ReadsHome(arguments)) return true;
  const auto config = base::LoadConfig(base::FindHome(arguments.home));
  if (!config) return true;  // the command says so itself
  const auto noted = live->NoteRead(*config, question);
  if (noted) return true;
  if (noted.error().refused) {
    Complain("the trail is not read, since that cannot be recorded: " + noted.error().text);
    return false;
  }
  Complain("this read is not recorded: " + noted.error().text);
  return true;
}

int RunCheckpoint(const Arguments& arguments, Live* live) {
  const auto config = base::LoadConfig(base::FindHome(arguments.home));
  if (!config) {
    Complain(config.error().text);
    return kExitBad;
  }
  std::string why = "it is not asked here";
  if (live != nullptr) {
    const auto text = live->Checkpoint(*config);
    if (!text && text.error().refused) {
      Complain("nothing was signed: " + text.error().text);
      return kExitBad;
    }
    if (!text) why = text.error().text;
    auto note = text ? Note::Parse(*text) : Result<Note>(Fail(Code::kUnavailable, "vaultd does not answer"));
    auto claim = note ? Claim::Of("vaultd", std::move(*note)) : Result<Claim>(std::unexpected(note.error()));
    if (claim && !claim->note.signatures.empty()) return PrintClaim(arguments, *claim);
    if (text) {
      Complain("vaultd's answer is no signed checkpoint: it was sealed meanwhile, or is of another build");
      return kExitBad;
    }
  }
  const auto kept = Kept(arguments);
  if (!kept) {
    Complain("no checkpoint: vaultd does not answer (" + why + "), and " + kept.error());
    return kExitBad;
  }
  Complain("vaultd does not answer (" + why + "): this is the newest checkpoint that it kept");
  return PrintClaim(arguments, *kept);
}

}  // namespace strongroom::audit
