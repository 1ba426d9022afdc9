// Keys that their providers refuse: reports, the probe that decides, and the way back.
#include <nlohmann/json.hpp>

#include "tests/vault/eventually.h"
#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

constexpr auto kWorker = static_cast<std::uint8_t>(Role::kWorker), kAdmin = static_cast<std::uint8_t>(Role::kAdmin);

// Report is a worker's report of a call that ACME's key was released for; true where vaultd wants a probe.
bool Report(ServiceHouse& house, const std::string& key_ref, std::int64_t status, uid_t uid = 2003) {
  static std::int64_t calls = 0;
  ResolveRequest call = Ask1("ACME", "ACME_DEFAULT");
  call.request_id = "reported";
  call.attempt = ++calls;
  REQUIRE(house.AskAs(uid, Operation::kResolve, call.Encode(), kWorker).has_value());
  const ReportCallRequest request{key_ref, call.request_id, status, call.customer, call.attempt};
  auto reply = house.AskAs(uid, Operation::kReportCall, request.Encode(), kWorker);
  REQUIRE(reply.has_value());
  return ReportCallAnswer::Decode(reply->body).value().probe;
}

Result<Reply> ReportProbe(ServiceHouse& house, const std::string& key_ref, std::int64_t status, uid_t uid = 2003) {
  ReportProbeRequest request;
  request.key_ref = key_ref;
  request.status = status;
  return house.AskAs(uid, Operation::kReportProbe, request.Encode(), kWorker);
}

Result<Reply> ProbeSuspect(ServiceHouse& house, const std::string& key_ref, uid_t uid = 2003) {
  return house.AskAs(uid, Operation::kProbeSuspect, EncodeText(key_ref), kWorker);
}

// Notice has a key SUSPENDED the way a dead one is.
void Notice(ServiceHouse& house, const std::string& key_ref) {
  REQUIRE_FALSE(Report(house, key_ref, 401));
  REQUIRE_FALSE(Report(house, key_ref, 403));
  REQUIRE(Report(house, key_ref, 401));
  REQUIRE(ProbeSuspect(house, key_ref).has_value());
  REQUIRE(ReportProbe(house, key_ref, 401).has_value());
}

MoveRequest Resume(const std::string& key_ref) {
  MoveRequest move;
  move.ref = key_ref;
  move.move = "resume";
  move.reason = "the customer paid";
  return move;
}

nlohmann::json Show(ServiceHouse& house, const std::string& key_ref) {
  auto reply = house.Ask(Operation::kShowKey, EncodeText(key_ref));
  REQUIRE(reply.has_value());
  return nlohmann::json::parse(DecodeText(reply->body).value());
}

bool ProfileSaysNoticed(ServiceHouse& house) {
  auto reply = house.Ask(Operation::kGetProfile, EncodeText("ACME_DEFAULT"), kWorker);
  REQUIRE(reply.has_value());
  return ProfileAnswer::Decode(reply->body).value().key_noticed;
}

Refusal RefusalIn(const Result<Reply>& reply) {
  REQUIRE_FALSE(reply.has_value());
  return RefusalOf(reply.error());
}

// An admin's probe of a SUSPENDED key.
void Test(ServiceHouse& house, const std::string& key_ref, uid_t uid) {
  REQUIRE(house.AskAs(uid, Operation::kProbe, EncodeText(key_ref), kAdmin).has_value());
}

}  // namespace

TEST_CASE("noticed: a probe that is refused suspends the key, on record", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const std::int64_t epoch = house.service().epoch();
  CHECK_FALSE(ProfileSaysNoticed(house));
  CHECK_FALSE(Report(house, ref, 401));
  const audit::Entry reported = house.Last();
  CHECK(reported.draft.action == "report_call");
  CHECK(reported.draft.key_ref == ref);
  CHECK(reported.draft.request_id == "reported");
  CHECK(reported.draft.customer == "ACME");
  CHECK(reported.draft.purpose->ends_with(" was answered by HTTP 401"));
  CHECK_FALSE(Report(house, ref, 401));
  CHECK(Report(house, ref, 403));
  auto opened = ProbeSuspect(house, ref);
  REQUIRE(opened.has_value());
  REQUIRE(opened->open_secret().has_value());
  CHECK(house.Last().draft.action == "probe_suspect");
  // It is a use like any other.
  CHECK(Show(house, ref)["last_used_at"] == base::FormatTime(house.Last().place.time));
  REQUIRE(ReportProbe(house, ref, 401).has_value());
  const audit::Entry last = house.Last();
  CHECK(last.draft.action == "report_probe");
  CHECK(last.draft.purpose == "the provider's answer to the probe: HTTP 401");
  CHECK(last.draft.actor.role == "worker");
  CHECK(last.draft.before->at("status") == "ACTIVE");
  CHECK(last.draft.after->at("status") == "SUSPENDED");
  CHECK(house.service().epoch() == epoch + 1);
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyNoticed);
  CHECK(ProfileSaysNoticed(house));
  CHECK(Show(house, ref)["noticed_http_status"] == 401);
  auto status = house.Ask(Operation::kStatus, {});
  REQUIRE(status.has_value());
  CHECK(nlohmann::json::parse(DecodeText(status->body).value())["noticed"] == 1);
  house.Stop();
  house.Start();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyNoticed);
}

TEST_CASE("noticed: a probe that the provider takes, or does not decide, leaves the key as it is", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Report(house, ref, 403);
  Report(house, ref, 403);
  REQUIRE(Report(house, ref, 403));
  REQUIRE(ProbeSuspect(house, ref).has_value());
  const auto status = GENERATE(0, 200, 404, 429, 500, 529);
  const auto reply = ReportProbe(house, ref, status);
  REQUIRE(reply.has_value());
  // What it left undecided is probed again, by the same worker, a moment later.
  const ReportCallAnswer again = ReportCallAnswer::Decode(reply->body).value();
  CHECK(again.probe == (status != 200 && status != 429));
  CHECK(again.wait_ms == (again.probe ? 200 : 0));
  CHECK(house.Last().draft.action == "report_probe");
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  // Said once: a second report has no probe behind it.
  CHECK(RefusalIn(ReportProbe(house, ref, 401)) == Refusal::kNoProbeOrdered);
  CHECK(Show(house, ref)["status"] == "ACTIVE");
}

TEST_CASE("noticed: a key that dies right behind a probe that passed is probed again, without another call", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  for (int i = 0; i < 3; ++i) Report(house, ref, 403);
  REQUIRE(ProbeSuspect(house, ref).has_value());
  for (int i = 0; i < 3; ++i) CHECK_FALSE(Report(house, ref, 401));
  const auto reply = ReportProbe(house, ref, 200);
  REQUIRE(reply.has_value());
  CHECK(ReportCallAnswer::Decode(reply->body).value().probe);
  CHECK(ReportCallAnswer::Decode(reply->body).value().wait_ms == 200);
  REQUIRE(Eventually([&] { return ProbeSuspect(house, ref).has_value(); }));
  REQUIRE(ReportProbe(house, ref, 401).has_value());
  CHECK(Show(house, ref)["status"] == "SUSPENDED");
}

TEST_CASE("noticed: nobody suspends a key without a probe that vaultd asked for", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  CHECK(RefusalIn(ReportProbe(house, ref, 401)) == Refusal::kNoProbeOrdered);
  CHECK(RefusalIn(ProbeSuspect(house, ref)) == Refusal::kNoProbeOrdered);
  Report(house, ref, 401);
  Report(house, ref, 401);
  REQUIRE(Report(house, ref, 401));
  CHECK(RefusalIn(ProbeSuspect(house, ref, 2004)) == Refusal::kNoProbeOrdered);
  // It was told to, and has not opened the key.
  CHECK(RefusalIn(ReportProbe(house, ref, 401)) == Refusal::kNoProbeOrdered);
  REQUIRE(ProbeSuspect(house, ref).has_value());
  CHECK(RefusalIn(ReportProbe(house, ref, 401, 2004)) == Refusal::kNoProbeOrdered);
  CHECK(house.RefusalFor(Operation::kReportProbe, ReportProbeRequest{ref, 401}.Encode(), kAdmin) == Refusal::kNoRole);
  CHECK(RefusalIn(ReportProbe(house, ref, 77)) == Refusal::kFieldInvalid);
  CHECK(Show(house, ref)["status"] == "ACTIVE");
}

TEST_CASE("noticed: reports of what is no refusal, of no key, and of a success", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  for (const std::int64_t status : {0, 400, 404, 500, 529}) {
    CHECK(house.RefusalFor(Operation::kReportCall, ReportCallRequest{ref, "r", status, "ACME", 1}.Encode(), kWorker) == Refusal::kFieldInvalid);
  }
  CHECK(house.RefusalFor(Operation::kReportCall, ReportCallRequest{"ACME/anthropic/default/9", "r", 401, "ACME", 1}.Encode(), kWorker) ==
        Refusal::kKeyUnknown);
  const auto watched = [&] {
    auto reply = house.Resolve("ACME", "ACME_DEFAULT");
    REQUIRE(reply.has_value());
    return ResolveAnswer::Decode(reply->body).value().watched;
  };
  CHECK_FALSE(watched());
  Report(house, ref, 401);
  Report(house, ref, 401);
  CHECK(watched());
  CHECK_FALSE(Report(house, ref, 200));
  CHECK_FALSE(watched());
  CHECK_FALSE(Report(house, ref, 401));
}

TEST_CASE("noticed: one person resumes it behind a test and what an admin suspended is not", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const auto resume = [&](uid_t uid) { return house.AskAs(uid, Operation::kResumeNoticed, Resume(ref).Encode(), kAdmin); };
  CHECK(RefusalIn(resume(2001)) == Refusal::kKeyMoveForbidden);
  Notice(house, ref);
  CHECK(RefusalIn(resume(2001)) == Refusal::kKeyNotProbed);
  Test(house, ref, 2002);
  CHECK(RefusalIn(resume(2001)) == Refusal::kKeyNotProbed);
  Test(house, ref, 2001);
  REQUIRE(resume(2001).has_value());
  CHECK(house.Last().draft.action == "resume_noticed");
  CHECK(house.Last().draft.purpose == "the customer paid");
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
  // An admin's suspension is another: its notice is of the one before.
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  Test(house, ref, 2001);
  CHECK(RefusalIn(resume(2001)) == Refusal::kKeyMoveForbidden);
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeySuspended);
  CHECK_FALSE(ProfileSaysNoticed(house));
}

TEST_CASE("noticed: an edited notice makes no suspension an automatic one", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Notice(house, ref);
  Test(house, ref, 2001);
  REQUIRE(house.AskAs(2001, Operation::kResumeNoticed, Resume(ref).Encode(), kAdmin).has_value());
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  REQUIRE(house.Edit("UPDATE KEY_NOTICE SET ROW_VERSION = (SELECT ROW_VERSION FROM KEY_VAULT WHERE KEY_REF = ?1)", {std::string_view(ref)}) == 1);
  Test(house, ref, 2001);
  CHECK(RefusalIn(house.AskAs(2001, Operation::kResumeNoticed, Resume(ref).Encode(), kAdmin)) == Refusal::kKeyMoveForbidden);
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeySuspended);
}

TEST_CASE("noticed: an admin may suspend what was suspended by itself, and one other cannot resume that", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Notice(house, ref);
  REQUIRE(house.MoveKey(ref, "suspend").has_value());
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeySuspended);
  Test(house, ref, 2001);
  CHECK(RefusalIn(house.AskAs(2001, Operation::kResumeNoticed, Resume(ref).Encode(), kAdmin)) == Refusal::kKeyMoveForbidden);
  CHECK(house.MoveRefusal(ref, "suspend") == Refusal::kKeyMoveForbidden);
  house.Stop();
  house.Start();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeySuspended);
  CHECK(house.MoveKey(ref, "resume").has_value());
}

TEST_CASE("noticed: a KEK rotation leaves it noticed", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  Notice(house, ref);
  KekRequest kek;
  kek.reason = "a test";
  auto prepared = house.Ask(Operation::kPrepareKek, kek.Encode());
  REQUIRE(prepared.has_value());
  kek.version = DecodeNumber(prepared->body).value();
  REQUIRE(house.Ask(Operation::kActivateKek, kek.Encode()).has_value());
  RewrapRequest rewrap;
  rewrap.run = "run";
  rewrap.reason = "a test";
  REQUIRE(house.Ask(Operation::kRewrapKeys, rewrap.Encode()).has_value());
  REQUIRE(Show(house, ref)["kek_version"] == 2);
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyNoticed);
  house.Stop();
  house.Start();
  CHECK(house.ResolveRefusal("ACME", "ACME_DEFAULT") == Refusal::kKeyNoticed);
  Test(house, ref, 2001);
  CHECK(house.AskAs(2001, Operation::kResumeNoticed, Resume(ref).Encode(), kAdmin).has_value());
}

TEST_CASE("noticed: a limit leaves it noticed, and an admin's suspension what it is", "[noticed]") {
  ServiceHouse house;
  AddKeyRequest add;
  add.customer = "HOUSE";
  add.provider = "anthropic";
  add.hosted = true;
  add.reason = "the house's own";
  ActivateKeyRequest activate;
  activate.key_ref = house.AddKey(add, kAcmeKey).value();
  activate.reason = "the house's own";
  ProfileFields& profile = activate.profile.emplace();
  profile.profile_ref = "ACME_DEFAULT";
  profile.customer = "ACME";
  profile.mode = "H";
  profile.provider = "anthropic";
  profile.model = "some-model";
  profile.key_ref = activate.key_ref;
  profile.rpm = 10;
  REQUIRE(house.Ask(Operation::kActivateKey, activate.Encode()).has_value());
  const bool by_provider = GENERATE(true, false);
  if (by_provider) Notice(house, activate.key_ref);
  else REQUIRE(house.MoveKey(activate.key_ref, "suspend").has_value());
  LimitKeyRequest limit;
  limit.key_ref = activate.key_ref;
  limit.rpm = 100;
  limit.reason = "a smaller tier";
  REQUIRE(house.Ask(Operation::kLimitKey, limit.Encode()).has_value());
  house.Stop();
  house.Start();
  Test(house, activate.key_ref, 2001);
  CHECK(house.AskAs(2001, Operation::kResumeNoticed, Resume(activate.key_ref).Encode(), kAdmin).has_value() == by_provider);
}

TEST_CASE("noticed: a key that was stopped is replaced, and its profiles follow", "[noticed]") {
  ServiceHouse house;
  const std::string ref = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const auto [move, left_as] = GENERATE(table<std::string, std::string>(
      {{"", "REVOKED"}, {"suspend", "REVOKED"}, {"revoke", "REVOKED"}, {"compromise", "COMPROMISED"}}));
  if (move.empty()) Notice(house, ref);
  if (!move.empty()) REQUIRE(house.MoveKey(ref, move).has_value());
  AddKeyRequest add;
  add.like = ref;
  add.reason = "a new one";
  const std::string next = house.AddKey(add, kBarcoKey).value();
  RotateKeyRequest rotate;
  rotate.old_key_ref = ref;
  rotate.new_key_ref = next;
  rotate.reason = "a new one";
  rotate.grace = base::kMicrosPerDay;
  REQUIRE(house.Ask(Operation::kRotateKey, rotate.Encode()).has_value());
  CHECK(house.Last().draft.after->at("old_status") == left_as);
  CHECK_FALSE(house.Last().draft.after->contains("grace_until"));
  CHECK(Show(house, ref)["status"] == left_as);
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kBarcoKey);
}

}  // namespace strongroom::vault
