#include "vault/cli_ceremony.h"

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "base/command_line.h"
#include "base/config.h"
#include "vault/backup.h"

namespace strongroom::vault {
namespace {

constexpr const char* kSplit = "split";
constexpr const char* kVerify = "verify";
constexpr const char* kRestore = "restore";

CeremonyOutcome Perform(const std::string& home, const CeremonyCommand& command) {
  // A split needs no home: it makes a key and tells its public half.
  if (command.name == kSplit) return SplitRecoveryKey(command.options);
  // Nor does a restore: it makes one.
  if (!command.put_back.empty()) return PutBack(home, command.put_back);
  const auto config = base::LoadConfig(home);
  if (!config) return std::unexpected(VaultProblem{config.error().text});
  if (!command.back_up.empty()) return BackUp(*config, command.back_up);
  return command.name == kVerify ? VerifyShares(*config, command.options) : RestoreKeks(*config, command.options);
}

}  // namespace

void AddCeremonyFlags(CLI::App& app, CeremonyCommand& command) {
  CeremonyOptions& options = command.options;
  app.add_option("--ceremony", command.name, "a ceremony with recovery shares, then exit; keytool kek runs this")
      ->check(CLI::IsMember({kSplit, kVerify, kRestore}));
  app.add_option("--shares", options.shares, "split: how many shares");
  app.add_option("--threshold", options.threshold, "split: how many of them open the vault");
  app.add_option("--custodian", options.custodians, "split: a custodian's name, once a share");
  app.add_option("--out", options.out, "split: write the shares into this directory instead of showing them")->check(base::NotEmpty);
  app.add_option("--share", options.files, "the file of a share; without any the shares are asked for on the terminal");
  app.add_option("--backup", command.back_up, "copy the home into this directory, then exit; keytool backup runs this")->check(base::NotEmpty);
  app.add_option("--restore", command.put_back, "make the home from this backup, then exit; keytool restore runs this")->check(base::NotEmpty);
}

int RunCeremony(const std::string& home, const CeremonyCommand& command) {
  // keytool takes the answer: without it the shares would lie there while this waits at a terminal that is somebody else's again.
  if (command.name == kSplit) prctl(PR_SET_PDEATHSIG, SIGTERM);
  const CeremonyOutcome answer = Perform(home, command);
  if (!answer) {
    std::fprintf(stderr, "vaultd: %s\n", answer.error().text.c_str());
    return 1;
  }
  std::printf("%s\n", answer->c_str());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace strongroom::vault
