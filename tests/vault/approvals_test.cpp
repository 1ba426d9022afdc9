// Two people: what one admin may not do alone, and every way around the second one that is refused.
#include "vault/approval.h"

#include "audit/tree.h"

#include <nlohmann/json.hpp>

#include "tests/vault/service_house.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::json;
constexpr uid_t kAda = 2001, kBob = 2002, kEve = 2003, kRoot = 0;
constexpr auto kAdminOnly = static_cast<std::uint8_t>(Role::kAdmin);

// Pair is a vault in two-person mode, with a key.
class Pair : public ServiceHouse {
 public:
  Pair() {
    ref = Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
    Configure("single_user", "false");
    REQUIRE(Require(kAda, true).has_value());
  }

  Result<Reply> Move(uid_t uid, const std::string& move, const std::string& reason = "a test") {
    return AskAs(uid, Operation::kMoveKey, Body(move, reason), kAdminOnly);
  }
  Refusal MoveRefused(uid_t uid, const std::string& move, const std::string& reason = "a test") {
    const auto moved = Move(uid, move, reason);
    REQUIRE_FALSE(moved.has_value());
    return RefusalOf(moved.error());
  }
  Bytes Body(const std::string& move, const std::string& reason = "a test") const {
    MoveRequest request;
    request.ref = ref;
    request.move = move;
    request.reason = reason;
    return request.Encode();
  }
  Result<std::string> Propose(uid_t uid, Operation operation, const Bytes& body) {
    ProposeRequest request;
    request.operation = static_cast<std::int64_t>(operation);
    request.body = base::Hex(body);
    auto reply = AskAs(uid, Operation::kProposeAct, request.Encode(), kAdminOnly);
    if (!reply) return std::unexpected(reply.error());
    return Json::parse(DecodeText(reply->body).value())["approval"].get<std::string>();
  }
  std::string Proposed(uid_t uid, const std::string& move, const std::string& reason = "a test") {
    const auto id = Propose(uid, Operation::kMoveKey, Body(move, reason));
    REQUIRE(id.has_value());
    return *id;
  }
  Result<Reply> Verdict(uid_t uid, Operation verdict, const std::string& id) {
    VerdictRequest request;
    request.approval_id = id;
    request.reason = "seen";
    return AskAs(uid, verdict, request.Encode(), kAdminOnly);
  }
  bool Approved(uid_t uid, const std::string& id) { return Verdict(uid, Operation::kApproveAct, id).has_value(); }
  Refusal ApproveRefused(uid_t uid, const std::string& id) {
    const auto reply = Verdict(uid, Operation::kApproveAct, id);
    REQUIRE_FALSE(reply.has_value());
    return RefusalOf(reply.error());
  }
  Result<Reply> Require(uid_t uid, bool on) {
    RequireRequest request;
    request.on = on;
    request.reason = "a test";
    return AskAs(uid, Operation::kRequireTwoPeople, request.Encode(), kAdminOnly);
  }
  void LeaveByTwo() {
    RequireRequest off;
    off.reason = "a test";
    const auto id = Propose(kAda, Operation::kRequireTwoPeople, off.Encode());
    REQUIRE(id.has_value());
    REQUIRE(Approved(kBob, *id));
    REQUIRE(Require(kAda, false).has_value());
  }
  bool Demanded() {
    auto reply = Ask(Operation::kStatus, {});
    REQUIRE(reply.has_value());
    return Json::parse(DecodeText(reply->body).value())["two_people"]["demanded"].get<bool>();
  }
  // JumpTo puts a record of a later time at the trail's end: vault time is never before the newest record's.
  void JumpTo(base::Micros time) {
    Stop();
    audit::Entry last = Last();
    last.place.prev = audit::LeafHash(last.bytes);
    last.place.seq += 1;
    last.place.time = time;
    const std::string record = audit::Serialize(last.draft, last.place);
    Edit("INSERT INTO AUDIT_LOG (SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR) VALUES (?1, ?2, ?3, ?4, 'ok', ?5)",
         {last.place.seq, base::AsBytes(record), time, std::string_view(last.draft.action),
          std::string_view(last.draft.actor.name)});
    {
      const auto database = Open();
      auto tree = audit::GrowingTree::Load(*database, last.place.seq);
      REQUIRE(tree.has_value());
      REQUIRE(tree->Append(*database, audit::HashLeaf(record)).has_value());
      REQUIRE(tree->PutHead(*database).has_value());
    }
    Start();
  }

  std::string ref;
};

TEST_CASE("two people: an act is proposed, approved by another, and done once by its author", "[approvals]") {
  Pair house;
  REQUIRE(house.Move(kAda, "suspend").has_value());  // stopping needs one
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kTwoPeople);
  CHECK(house.Last().draft.reason == "TWO_PEOPLE");
  const std::string id = house.Proposed(kAda, "resume");
  const audit::Entry proposed = house.Last();
  CHECK(proposed.draft.action == "propose_act");
  CHECK(proposed.draft.after->at("act") == "resume " + house.ref);
  CHECK(proposed.draft.after->at("approval") == id);
  CHECK(proposed.draft.purpose == "a test");
  CHECK(house.Proposed(kAda, "resume") == id);
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kTwoPeople);
  REQUIRE(house.Approved(kBob, id));
  CHECK(house.Last().draft.action == "approve_act");
  CHECK(house.Last().draft.actor.uid == kBob);
  CHECK(house.MoveRefused(kBob, "resume") == Refusal::kTwoPeople);  // it is its author's
  REQUIRE(house.Move(kAda, "resume").has_value());
  const audit::Entry done = house.Last();
  CHECK(done.draft.action == "move_key");
  CHECK(done.draft.after->at("approval") == id);
  CHECK(done.draft.after->at("approved_by_uid") == std::to_string(kBob));
  REQUIRE(house.Move(kAda, "suspend").has_value());
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kTwoPeople);
  CHECK(house.ApproveRefused(kBob, id) == Refusal::kApprovalClosed);
}

TEST_CASE("two people: stopping a key needs one, destroying it two", "[approvals]") {
  Pair house;
  for (const char* move : {"suspend", "revoke", "compromise"}) REQUIRE(house.Move(kRoot, move).has_value());
  CHECK(house.MoveRefused(kAda, "destroy") == Refusal::kTwoPeople);
  REQUIRE(house.Approved(kBob, house.Proposed(kAda, "destroy")));
  REQUIRE(house.Move(kAda, "destroy").has_value());
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT") == "DESTROYED");
}

TEST_CASE("two people: removing a protector needs two", "[approvals]") {
  Pair house;
  ProtectorRequest remove;
  remove.protector = "passphrase";
  remove.reason = "a test";
  const auto ask = [&] { return house.AskAs(kAda, Operation::kRemoveProtector, remove.Encode(), kAdminOnly); };
  const auto alone = ask();
  REQUIRE_FALSE(alone.has_value());
  CHECK(RefusalOf(alone.error()) == Refusal::kTwoPeople);
  CHECK(house.Last().draft.before->at("act") == "remove protector passphrase");
  const auto id = house.Propose(kAda, Operation::kRemoveProtector, remove.Encode());
  REQUIRE(id.has_value());
  REQUIRE(house.Approved(kBob, *id));
  const auto by_two = ask();
  REQUIRE_FALSE(by_two.has_value());
  CHECK(RefusalOf(by_two.error()) == Refusal::kProtectorMissing);
  // Asked again with a proof that another protector opens, it is the same act.
  remove.with = "passphrase";
  const auto with_proof = ask();
  REQUIRE_FALSE(with_proof.has_value());
  CHECK(RefusalOf(with_proof.error()) != Refusal::kTwoPeople);
}

TEST_CASE("two people: nobody is their own second person, and root is nobody's", "[approvals]") {
  Pair house;
  REQUIRE(house.Move(kAda, "suspend").has_value());
  const std::string id = house.Proposed(kAda, "resume");
  CHECK(house.ApproveRefused(kAda, id) == Refusal::kApprovalOwn);
  CHECK(house.ApproveRefused(kRoot, id) == Refusal::kRootExcluded);
  CHECK(house.MoveRefused(kRoot, "resume") == Refusal::kRootExcluded);
  const auto by_root = house.Propose(kRoot, Operation::kMoveKey, house.Body("resume"));
  REQUIRE_FALSE(by_root.has_value());
  CHECK(RefusalOf(by_root.error()) == Refusal::kRootExcluded);
  VerdictRequest request;
  request.approval_id = id;
  request.reason = "seen";
  const auto worker = house.AskAs(kBob, Operation::kApproveAct, request.Encode(), static_cast<std::uint8_t>(Role::kWorker));
  REQUIRE_FALSE(worker.has_value());
  CHECK(RefusalOf(worker.error()) == Refusal::kNoRole);
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kTwoPeople);
  CHECK(house.ApproveRefused(kBob, "000000000000") == Refusal::kApprovalUnknown);
}

TEST_CASE("two people: an approval is of the exact act", "[approvals]") {
  Pair house;
  REQUIRE(house.Move(kAda, "suspend").has_value());
  REQUIRE(house.Approved(kBob, house.Proposed(kAda, "resume", "the ticket says so")));
  CHECK(house.MoveRefused(kAda, "destroy", "the ticket says so") == Refusal::kTwoPeople);
  CHECK(house.MoveRefused(kAda, "resume", "another reason") == Refusal::kTwoPeople);
  CHECK(house.MoveRefused(kEve, "resume", "the ticket says so") == Refusal::kTwoPeople);
  CHECK(house.Move(kAda, "resume", "the ticket says so").has_value());
  // What one may do alone cannot be proposed, nor what is no operation.
  const auto suspend = house.Propose(kAda, Operation::kMoveKey, house.Body("suspend"));
  REQUIRE_FALSE(suspend.has_value());
  CHECK(RefusalOf(suspend.error()) == Refusal::kFieldInvalid);
  CHECK_FALSE(house.Propose(kAda, Operation{250}, house.Body("resume")).has_value());
}

TEST_CASE("two people: no stays no, and a yes can be taken back until it is used", "[approvals]") {
  Pair house;
  REQUIRE(house.Move(kAda, "suspend").has_value());
  const std::string id = house.Proposed(kAda, "resume");
  REQUIRE(house.Approved(kBob, id));
  REQUIRE(house.Verdict(kBob, Operation::kDenyAct, id).has_value());
  CHECK(house.Last().draft.action == "deny_act");
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kApprovalDenied);
  const auto again = house.Propose(kAda, Operation::kMoveKey, house.Body("resume"));
  REQUIRE_FALSE(again.has_value());
  CHECK(RefusalOf(again.error()) == Refusal::kApprovalDenied);
  CHECK(house.ApproveRefused(kEve, id) == Refusal::kApprovalClosed);
}

TEST_CASE("two people: an act that fails leaves its approval to be used", "[approvals]") {
  Pair house;
  REQUIRE(house.Approved(kBob, house.Proposed(kAda, "resume")));
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kKeyMoveForbidden);  // it is ACTIVE
  REQUIRE(house.Move(kEve, "suspend").has_value());
  CHECK(house.Move(kAda, "resume").has_value());
}

TEST_CASE("two people: an edited row of APPROVAL is refused as tampering", "[approvals]") {
  Pair house;
  REQUIRE(house.Move(kAda, "suspend").has_value());
  const std::string id = house.Proposed(kAda, "resume");
  SECTION("set to APPROVED by hand") {
    house.Edit("UPDATE APPROVAL SET STATUS = 'APPROVED', DECIDER_UID = 2002, DECIDER = 'bob', DECIDED_AT = 1");
  }
  SECTION("given more time") { house.Edit("UPDATE APPROVAL SET EXPIRES_AT = EXPIRES_AT + 1"); }
  SECTION("pointed at another act") {
    const Bytes other = ActDigest(Operation::kMoveKey, house.Body("destroy"));
    house.Edit("UPDATE APPROVAL SET ACT_DIGEST = ?1", {ByteView(other)});
    CHECK(house.MoveRefused(kAda, "destroy") == Refusal::kApprovalTampered);
    return;
  }
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kApprovalTampered);
  CHECK(house.Last().draft.reason == "APPROVAL_TAMPERED");
  CHECK(house.ApproveRefused(kBob, id) == Refusal::kApprovalTampered);
}

TEST_CASE("two people: a used approval that is copied back is known from the trail", "[approvals]") {
  Pair house;
  REQUIRE(house.Move(kAda, "suspend").has_value());
  const std::string id = house.Proposed(kAda, "resume");
  REQUIRE(house.Approved(kBob, id));
  house.Edit("CREATE TABLE KEPT AS SELECT * FROM APPROVAL");
  REQUIRE(house.Move(kAda, "resume").has_value());
  REQUIRE(house.Move(kAda, "suspend").has_value());
  house.Edit("DELETE FROM APPROVAL");
  house.Edit("INSERT INTO APPROVAL SELECT * FROM KEPT");
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kApprovalTampered);
}

TEST_CASE("two people: an approval ends after a day, and its end is recorded", "[approvals]") {
  Pair house;
  REQUIRE(house.Move(kAda, "suspend").has_value());
  const std::string id = house.Proposed(kAda, "resume");
  REQUIRE(house.Approved(kBob, id));
  house.JumpTo(base::WallMicros() + kApprovalHolds + base::kMicrosPerSecond);
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kTwoPeople);
  CHECK(house.ApproveRefused(kBob, id) == Refusal::kApprovalExpired);
  const std::string next = house.Proposed(kAda, "resume");
  CHECK(next != id);
  CHECK(house.Last().draft.after->at("expired") == id);
  CHECK(house.Value("SELECT STATUS FROM APPROVAL WHERE APPROVAL_ID = ?1", {id}) == "EXPIRED");
}

TEST_CASE("two people: the demand is left by two, and by no edit", "[approvals]") {
  Pair house;
  CHECK(house.Demanded());
  const auto alone = house.Require(kAda, false);
  REQUIRE_FALSE(alone.has_value());
  CHECK(RefusalOf(alone.error()) == Refusal::kTwoPeople);
  REQUIRE(house.Move(kAda, "suspend").has_value());
  SECTION("strongroom.toml says single_user") { house.Configure("single_user", "true"); }
  SECTION("the row is set to OFF") { house.Edit("UPDATE TWO_PEOPLE SET STATE = 'OFF'"); }
  SECTION("the row is gone, and vaultd is restarted") {
    house.Edit("DELETE FROM TWO_PEOPLE");
    house.Stop();
    house.Start();
  }
  CHECK(house.Demanded());
  CHECK(house.MoveRefused(kAda, "resume") == Refusal::kTwoPeople);
  house.LeaveByTwo();
  CHECK_FALSE(house.Demanded());
  CHECK(house.Move(kAda, "resume").has_value());
  house.Stop();
  house.Start();
  CHECK_FALSE(house.Demanded());
}

TEST_CASE("two people: a row of before the demand, copied back, turns nothing off", "[approvals]") {
  Pair house;
  house.LeaveByTwo();
  house.Edit("CREATE TABLE KEPT AS SELECT * FROM TWO_PEOPLE");
  REQUIRE(house.Require(kAda, true).has_value());
  house.Edit("DELETE FROM TWO_PEOPLE");
  house.Edit("INSERT INTO TWO_PEOPLE SELECT * FROM KEPT");
  CHECK(house.Demanded());
  house.Stop();
  house.Start();
  CHECK(house.Demanded());
}

TEST_CASE("two people: under single_user there is no second person to demand", "[approvals]") {
  ServiceHouse house;
  RequireRequest on;
  on.on = true;
  on.reason = "a test";
  CHECK(house.RefusalFor(Operation::kRequireTwoPeople, on.Encode()) == Refusal::kSingleUser);
  ProposeRequest propose;
  propose.operation = static_cast<std::int64_t>(Operation::kRequireTwoPeople);
  RequireRequest off;
  off.reason = "a test";
  propose.body = base::Hex(off.Encode());
  const auto reply = house.AskAs(kAda, Operation::kProposeAct, propose.Encode(), kAdminOnly);
  REQUIRE_FALSE(reply.has_value());
  CHECK(RefusalOf(reply.error()) == Refusal::kTwoPeopleOff);
}

}  // namespace
}  // namespace strongroom::vault
