// RecoverySteps: one key's way back, step by step, from the vault's word and the notes of whoever began (recovery_log.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/table.h"
#include "keytool/problem.h"
#include "keytool/recover.h"
#include "keytool/recovery_log.h"
#include "keytool/recovery_report.h"
#include "keytool/session.h"

namespace strongroom::keytool {

// What is still missing is a problem of this name.
inline constexpr const char* kRecoveryWaits = "RECOVERY_WAITS";

// UsingProfile is what a recovery has to know of a profile; those that are TERMINATED are none.
struct UsingProfile {
  std::string ref, customer, status, key_ref;
};
Outcome<std::vector<UsingProfile>> ReadProfiles(const Session& session);
// IsStopped is true for a STATUS that a key does not open in, and will not by itself.
bool IsStopped(std::string_view status);

class RecoverySteps {
 public:
  RecoverySteps(const Session& session, RecoveryLog& log, const RecoverOptions& options, const std::string& reason)
      : session_(session), log_(log), options_(options), reason_(reason) {}
  Outcome<RecoveryReport> Go(const std::string& key_ref);
  // replay_failed: a batch could not be sent again, or a row of it failed again.
  bool replay_failed() const { return replay_failed_; }

 private:
  Outcome<void> Look(const std::string& key_ref);
  Outcome<void> Begin();
  Outcome<void> CheckDead();
  Outcome<void> Replace();
  Outcome<bool> FindReplaced();
  Outcome<void> TakeKey();
  Outcome<void> TypeKey();
  Outcome<std::vector<base::Row>> TicketsFor();
  Outcome<void> WaitForTicket();
  Outcome<void> MakeTicket(const std::string& directory);
  Outcome<void> CancelTickets();
  Outcome<void> ResumeProfiles();
  Outcome<void> Replay();
  std::string WhyNotSent(const BatchFacts& batch) const;
  Problem Gone() const;
  Outcome<void> CountFailed();
  Problem Waits(const std::string& text) const;
  void Say(const std::string& text) const;
  std::string Again(const ShownCommand& flags) const;
  bool uses_it(const UsingProfile& profile) const { return profile.key_ref == row_.key_ref; }
  bool may_use_it(const UsingProfile& profile) const { return profile.customer == row_.customer || row_.customer == "HOUSE"; }

  const Session& session_;
  RecoveryLog& log_;
  const RecoverOptions& options_;
  const std::string& reason_;
  RecoveryRow row_;
  std::vector<UsingProfile> profiles_;  // as the vault has them
  std::string status_;             // the key's
  std::optional<base::Micros> changed_, created_;
  FailedCalls failed_;
  std::vector<std::string> suspended_;
  bool replay_failed_ = false;
};

}  // namespace strongroom::keytool
