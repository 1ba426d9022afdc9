#include "keytool/onboard.h"

#include "keytool/account_limit.h"
#include "keytool/document.h"
#include "keytool/fields.h"
#include "keytool/intake.h"
#include "keytool/invite.h"
#include "keytool/key_source.h"
#include "keytool/onboard_guide.h"
#include "keytool/output.h"
#include "keytool/reason.h"

namespace strongroom::keytool {
namespace {

constexpr std::string_view kHouse = "HOUSE";
constexpr int kMostTries = 5;  // to type a key
constexpr std::string_view kKeyless = "ollama";  // the one provider that is called without a key

// Plan is what the options come to.
struct Plan {
  std::string mode;  // AI_PROFILE.MODE
  std::string profile;
  bool takes_key = false;
  bool keyed = false;  // with a new key or with one that is held already
};

Outcome<void> CheckHeldRef(const OnboardOptions& options, const std::string& mode) {
  TRY_ASSIGN(const vault::KeyRef ref, ReadKeyRef("--key-ref", options.key_ref));
  if (!options.key_file.empty()) return Usage("--key-ref uses a key that is held already: leave --key-file out");
  if (mode == "H" && ref.customer() != kHouse) {
    return Usage("--mode hosted uses a key of customer HOUSE: --key-ref HOUSE/provider/label/version");
  }
  if (mode == "B" && ref.customer() != options.customer) {
    return Usage("--key-ref names another customer's key; a key of HOUSE goes with --mode hosted");
  }
  if (ref.provider() != options.provider) return Usage("--key-ref is a key of another provider than --provider");
  return {};
}

Outcome<void> CheckTexts(const OnboardOptions& options, const Plan& plan) {
  TRY(CheckCustomer(options.customer));
  TRY(CheckText("--model", options.model, 80));
  TRY(CheckText("--profile", plan.profile, 40));
  const auto label = vault::KeyRef::Make("A", "a", options.label, 1);
  if (!label) return Usage("--label: " + label.error().Message());
  if (!options.endpoint.empty()) TRY(CheckEndpoint(options.endpoint, plan.keyed));
  if (!options.api_version.empty()) TRY(CheckText("--api-version", options.api_version, 20));
  if (!options.models_allowed.empty()) TRY(CheckText("--models-allowed", options.models_allowed, 1000));
  return {};
}

Outcome<Plan> MakePlan(const OnboardOptions& options) {
  Plan plan;
  TRY_ASSIGN(plan.mode, ReadMode(options.mode));
  plan.profile = options.profile.empty() ? options.customer + "_DEFAULT" : options.profile;
  const bool keyless = options.provider == kKeyless;
  plan.keyed = !keyless;
  plan.takes_key = !keyless && options.key_ref.empty();
  TRY(CheckTexts(options, plan));
  if (keyless && (!options.key_file.empty() || !options.key_ref.empty())) {
    return Usage(options.provider + " takes no key: leave --key-file and --key-ref out");
  }
  if (!options.key_ref.empty()) TRY(CheckHeldRef(options, plan.mode));
  if (plan.takes_key && plan.mode == "H" && options.customer != kHouse) {
    return Usage("--mode hosted needs --key-ref HOUSE/provider/label/version; the house's own key goes in with "
                 "`keytool onboard HOUSE --mode hosted …`");
  }
  return plan;
}

// A profile of that name that is somebody else's, or in use, is found before the key is asked for, not after.
Outcome<void> CheckProfileFree(const Session& session, const OnboardOptions& options, const Plan& plan) {
  const auto found =
      session.AskText(vault::Operation::kShowProfile, vault::EncodeText(plan.profile), plan.profile);
  if (!found) return {};
  const std::string owner = ReadMember(*found, "customer");
  const std::string status = ReadMember(*found, "status");
  if (owner == options.customer && status == "TERMINATED") {
    return Failed("PROFILE_NOT_ACTIVE", "profile " + plan.profile + " is TERMINATED and does not come back: choose another --profile");
  }
  if (owner == options.customer && status == "SUSPENDED") {
    return Failed("PROFILE_NOT_ACTIVE", "profile " + plan.profile + " is SUSPENDED: resume it with " +
                                            Command(session.context(), {"keytool profile resume", plan.profile}) + ", or choose another --profile");
  }
  if (owner != options.customer) {
    return Failed("PROFILE_EXISTS", "profile " + plan.profile + " belongs to " + owner + ": choose another --profile");
  }
  // A profile whose key still works is not taken from under its callers; one whose key was stopped gets the new key.
  const std::string key_ref = ReadMember(*found, "key_ref");
  if (key_ref.empty() || key_ref == options.key_ref) return {};
  const auto key = session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
  if (!key || ReadMember(*key, "status") != "ACTIVE") return {};
  return Failed("PROFILE_EXISTS", "profile " + plan.profile + " works with " + key_ref + ": take a new version of that key with " +
                                      Command(session.context(), {"keytool rotate", key_ref}) +
                                      ", or make another profile with --profile NAME");
}

vault::ProfileFields Fields(const OnboardOptions& options, const Plan& plan) {
  const auto given = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  vault::ProfileFields fields;
  fields.profile_ref = plan.profile;
  fields.customer = options.customer;
  fields.mode = plan.mode;
  fields.provider = options.provider;
  fields.model = options.model;
  fields.endpoint = given(options.endpoint);
  fields.key_ref = given(options.key_ref);
  fields.models_allowed = given(options.models_allowed);
  fields.api_version = given(options.api_version);
  fields.default_max_tokens = options.max_tokens;
  fields.rpm = options.rpm;
  fields.tpm = options.tpm;
  fields.quota = options.quota;
  return fields;
}

vault::AddKeyRequest KeyRequest(const OnboardOptions& options, const Plan& plan, const std::string& reason) {
  vault::AddKeyRequest request;
  request.customer = options.customer;
  request.provider = options.provider;
  request.label = options.label;
  request.endpoint = options.endpoint;
  request.reason = reason;
  request.hosted = plan.mode == "H";
  return request;
}

// A key of the house goes where it was sealed for: without --endpoint the profile takes the way there from the key.
void TakeEndpointOfKey(const Session& session, const std::string& key_ref, vault::ProfileFields& fields) {
  if (fields.endpoint) return;
  std::string endpoint = RouteOf(session, key_ref).endpoint;
  if (endpoint.empty()) {
    const auto key = session.AskText(vault::Operation::kShowKey, vault::EncodeText(key_ref), key_ref);
    if (key) endpoint = ReadMember(*key, "origin");
  }
  if (!endpoint.empty()) fields.endpoint = endpoint;
}

void Report(const Context& context, const OnboardOptions& options, const Plan& plan, const std::string& key_ref,
            const std::optional<Probed>& probed) {
  if (context.json) {
    JsonLine line;
    line.Text("customer", options.customer).Text("profile_ref", plan.profile).OptionalText("key_ref", key_ref);
    line.Text("mode", plan.mode).Text("provider", options.provider).Text("model", options.model);
    return Print(line.Raw("probe", ProbedJson(probed)).Str() + "\n");
  }
  std::string key = "none: " + options.provider + " takes none";
  if (!options.key_ref.empty()) key = key_ref + "  held already";
  if (plan.takes_key) key = key_ref + "  ACTIVE, " + ProbedWords(probed);
  Print(options.customer + " is onboarded\n" +
        base::FormatFacts({{"  key", key},
                           {"  profile", plan.profile + "  " + options.provider + ", " + options.model}}));
  Print("next: " + Command(context, {"keytool profile show", plan.profile}) + ", or " +
        Command(context, {"batch submit FILE.jsonl --customer", options.customer, "--profile", plan.profile}) +
        "\n");
}

ShownCommand Again(const OnboardOptions& options) {
  return ShownCommand{"keytool onboard", options.customer, "--provider", options.provider}.Add(FlagsOf(options));
}

// Run does all that comes behind the command line's checks.
Outcome<void> Run(const Session& session, const OnboardOptions& options, const Plan& plan, const std::string& reason,
                  const Arrival& arrival) {
  const Context& context = session.context();
  TRY(session.CheckAnswers());
  TRY(CheckProfileFree(session, options, plan));
  const bool verify = plan.takes_key && !options.no_verify;
  if (verify) TRY(CheckProbe());

  vault::ActivateKeyRequest activate;
  activate.reason = reason;
  activate.profile = Fields(options, plan);
  std::optional<Probed> probed;
  if (plan.takes_key) {
    TRY_ASSIGN(activate.key_ref, arrival.take(KeyRequest(options, plan, reason)));
    TRY_ASSIGN(probed, CheckHeld(session, activate.key_ref, {options.endpoint, options.api_version}, verify, arrival));
    activate.probed = verify;
  } else if (!options.key_ref.empty()) {
    TakeEndpointOfKey(session, options.key_ref, *activate.profile);
  }
  const auto done = session.Ask(vault::Operation::kActivateKey, activate.Encode(), plan.profile);
  if (!done && plan.takes_key) return std::unexpected(StaysPending(done.error(), context, activate.key_ref, arrival));
  if (!done) return std::unexpected(WithShares(session, done.error(), options.key_ref));
  Report(context, options, plan, plan.takes_key ? activate.key_ref : options.key_ref, probed);
  return {};
}

Outcome<void> Typed(const Session& session, const OnboardOptions& options, const Plan& plan, const std::string& reason) {
  const auto read = [&](const vault::AddKeyRequest& request) { return HoldKey(session, request, options.key_file, options.customer); };
  return Run(session, options, plan, reason, {read, Again(options), {}});
}

// The settings go with the accept, for a ticket holds none.
Outcome<void> SendTicket(const Context& context, const OnboardOptions& options) {
  InviteOptions invite;
  invite.customer = options.customer;
  invite.provider = options.provider;
  invite.endpoint = options.endpoint;
  invite.out = options.customer + ".ticket";
  invite.reason = options.reason;
  TRY(Invite(context, invite));
  Tell("when the sealed key comes back: " + Command(context, ShownCommand{"keytool accept BLOB"}.Add(FlagsOf(options))) + "\n");
  return {};
}

Outcome<void> OnboardGuided(const Context& context, const OnboardOptions& given) {
  TRY(CheckGuide());
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY(session.CheckAnswers());
  TRY_ASSIGN(const Guided guided, AskOnboarding(session, given));
  const OnboardOptions& options = guided.options;
  TRY_ASSIGN(const Plan plan, MakePlan(options));
  if (guided.ticket) return SendTicket(context, options);
  if (plan.takes_key) TRY(CheckKeySource(options.key_file));
  for (int tries = 1;; ++tries) {
    auto done = Typed(session, options, plan, options.reason);
    if (done || !options.key_file.empty() || tries == kMostTries) return done;
    const Problem& problem = done.error();
    const bool mistyped = problem.name == base::CodeName(Code::kInvalidArgument) || problem.name == "KEY_PROVIDER_MISMATCH";
    if (!mistyped && problem.name != "PROBE_FAILED") return done;
    Tell(problem.text + "\n");
    if (mistyped) continue;
    if (!AskYes("Drop it, and type the key again?")) return done;
    const vault::MoveRequest drop{problem.key_ref, "revoke", "not taken"};
    TRY(session.Ask(vault::Operation::kMoveKey, drop.Encode(), problem.key_ref));
  }
}

}  // namespace

ShownCommand FlagsOf(const OnboardOptions& options) {
  ShownCommand flags;
  const auto text = [&flags](base::Literal flag, const std::string& value, std::string_view standard) {
    if (value != standard) flags.Add(flag).Add(value);
  };
  text("--model", options.model, "");
  text("--profile", options.profile, "");
  text("--mode", options.mode, "byok");
  text("--endpoint", options.endpoint, "");
  text("--label", options.label, "default");
  text("--api-version", options.api_version, "");
  text("--models-allowed", options.models_allowed, "");
  const auto number = [&flags](base::Literal flag, const std::optional<std::int64_t>& value) {
    if (value) flags.Add(flag).Add(std::to_string(*value));
  };
  number("--rpm", options.rpm);
  number("--tpm", options.tpm);
  number("--quota", options.quota);
  number("--max-tokens", options.max_tokens);
  return flags;
}

Outcome<void> Onboard(const Context& context, const OnboardOptions& options) {
  if (NeedsGuide(options)) return OnboardGuided(context, options);
  TRY_ASSIGN(const Plan plan, MakePlan(options));
  if (plan.takes_key) TRY(CheckKeySource(options.key_file));
  TRY_ASSIGN(const Session session, Session::Open(context));
  TRY_ASSIGN(const std::string reason, AskReason(options.reason));
  return Typed(session, options, plan, reason);
}

Outcome<void> OnboardKey(const Session& session, const OnboardOptions& options, const std::string& reason, const Arrival& arrival) {
  TRY_ASSIGN(const Plan plan, MakePlan(options));
  return Run(session, options, plan, reason, arrival);
}

}  // namespace strongroom::keytool
