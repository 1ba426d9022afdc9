#include "keytool/profiles.h"

#include <algorithm>

#include "base/files.h"
#include "keytool/account_limit.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "keytool/session.h"
#include "keytool/stopped.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kMostRef = 40, kMostSystemPrompt = 4000;

Outcome<std::string> ProfileDocument(const Session& session, const std::string& profile_ref) {
  return session.AskText(vault::Operation::kShowProfile, vault::EncodeText(profile_ref), profile_ref);
}

Outcome<void> CheckIfSet(std::string_view flag, const std::optional<std::string>& text, std::size_t most) {
  return text && !text->empty() ? CheckText(flag, *text, most) : Outcome<void>();
}

bool IsEmpty(const vault::ProfileFields& fields) {
  vault::ProfileFields none;
  none.profile_ref = fields.profile_ref;
  const vault::SetProfileRequest given{fields, ""}, nothing{none, ""};
  return given.Encode() == nothing.Encode();
}

// Read turns words and files of the command line into fields, and checks what can be checked here.
Outcome<vault::ProfileFields> Read(const ProfileOptions& options) {
  vault::ProfileFields fields = options.fields;
  TRY(CheckText("PROFILE_REF", fields.profile_ref, kMostRef));
  if (fields.customer) TRY(CheckCustomer(*fields.customer));
  if (fields.mode) {
    TRY_ASSIGN(fields.mode, ReadMode(*fields.mode));
  }
  if (options.temperature) {
    TRY_ASSIGN(fields.default_temp_tenths, ReadTemperature(*options.temperature));
  }
  if (fields.key_ref && !fields.key_ref->empty()) TRY(ReadKeyRef("--key-ref", *fields.key_ref));
  if (fields.endpoint) TRY(CheckEndpoint(*fields.endpoint, false));
  TRY(CheckIfSet("--model", fields.model, 80));
  TRY(CheckIfSet("--name", fields.profile_name, 50));
  TRY(CheckIfSet("--models-allowed", fields.models_allowed, 1000));
  TRY(CheckIfSet("--api-version", fields.api_version, 20));
  if (!options.system_prompt_file.empty()) {
    auto prompt = base::ReadFile(options.system_prompt_file, kMostSystemPrompt);
    if (!prompt) return FailedBy(prompt.error(), "--system-prompt-file " + options.system_prompt_file);
    fields.system_prompt = std::move(*prompt);
  }
  if (IsEmpty(fields)) return Usage("nothing to set: name at least one setting");
  return fields;
}

}  // namespace

Outcome<void> ListProfiles(const Context& context, const std::string& customer, const std::string& status) {
  if (!customer.empty()) TRY(CheckCustomer(customer));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, session.AskList(vault::Operation::kListProfiles, customer, status));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(std::vector<base::Row> rows,
             ReadRows(document, {"profile_ref", "customer", "mode", "status", "provider", "model", "key_ref", "over_quota_until", "intact"}));
  if (rows.empty()) {
    Print(customer.empty() && status.empty() ? "no profiles yet; `keytool onboard` makes one\n" : "no such profiles\n");
    return {};
  }
  std::sort(rows.begin(), rows.end());
  Print(base::FormatTable(
      {{"PROFILE_REF"}, {"CUSTOMER"}, {"MODE"}, {"STATUS"}, {"PROVIDER"}, {"MODEL"}, {"KEY_REF"}, {"OVER QUOTA UNTIL"}, {"INTACT"}}, rows));
  return {};
}

Outcome<void> ShowProfile(const Context& context, const std::string& profile_ref) {
  TRY(CheckText("PROFILE_REF", profile_ref, kMostRef));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string document, ProfileDocument(session, profile_ref));
  if (context.json) {
    Print(document + "\n");
    return {};
  }
  TRY_ASSIGN(const Facts facts, ReadFacts(document));
  Print(base::FormatFacts(facts));
  if (ReadMember(document, "intact") == "no") {
    Warn("the row of " + profile_ref + " was changed outside vaultd: no key is released for it");
  }
  return {};
}

Outcome<void> SetProfile(const Context& context, const ProfileOptions& options) {
  vault::SetProfileRequest request;
  TRY_ASSIGN(request.fields, Read(options));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(request.reason, AskReason(options.reason));
  const std::string& ref = request.fields.profile_ref;
  auto done = session.Ask(vault::Operation::kSetProfile, request.Encode(), ref);
  if (!done) {
    const auto shown = ProfileDocument(session, ref);
    return std::unexpected(WithShares(session, std::move(done.error()), request.fields.key_ref.value_or(shown ? ReadMember(*shown, "key_ref") : "")));
  }
  if (!context.json) {
    Print(ref + " is set; see " + Command(context, {"keytool profile show", ref}) + "\n");
    return {};
  }
  TRY_ASSIGN(const std::string document, ProfileDocument(session, ref));
  Print(document + "\n");
  return {};
}

Outcome<void> MoveProfile(const Context& context, const std::string& move, const std::string& profile_ref,
                          const std::string& reason) {
  TRY(CheckText("PROFILE_REF", profile_ref, kMostRef));
  TRY_ASSIGN(const Session session, Session::Open(context));
  vault::MoveRequest request;
  request.ref = profile_ref;
  request.move = move;
  TRY_ASSIGN(request.reason, AskReason(reason));
  TRY_ASSIGN(const Bytes moved, session.Ask(vault::Operation::kMoveProfile, request.Encode(), profile_ref));
  TRY_ASSIGN(const vault::StoppedAnswer stopped, ReadStopped(moved));
  std::string status;
  if (const auto shown = ProfileDocument(session, profile_ref)) status = ReadMember(*shown, "status");
  ReportMove(context.json, JsonLine().Text("profile_ref", profile_ref).Text("move", move), profile_ref, status, stopped);
  return {};
}

}  // namespace strongroom::keytool
