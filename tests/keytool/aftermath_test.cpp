#include "keytool/aftermath.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

constexpr const char* kVault = "5f0c2a9e7d3b4816a0c9e2f1b7d45a60";
const std::string kTitle = std::string("strongroom-stops 1 ") + kVault + "\n";

std::string Record(int seq, const std::string& fields) {
  return R"({"log":")" + std::string(kVault) + R"(/node-1","outcome":"ok","seq":)" + std::to_string(seq) + "," + fields + "}\n";
}

}  // namespace

TEST_CASE("aftermath: stops behind the backup's epoch, the strongest of each key") {
  Aftermath aftermath;
  REQUIRE(aftermath
              .TakeStops(kTitle + "5 2 REVOKED A/openai/default/1\n6\n7 3 SUSPENDED B/openai/default/1\n8 4 REVOKED B/openai/default/1\n"
                                  "9 2 ROTATED C/openai/default/1\n9 9 DESTROYED D/openai/default/1\n9 9 COMPROMISED E/openai/default/1\n"
                                  "10 5 REVOKED F/openai/def",
                         kVault, 6)
              .has_value());
  CHECK(aftermath.moves == std::map<std::string, std::string>{{"B/openai/default/1", "revoke"},
                                                              {"C/openai/default/1", "suspend"},
                                                              {"D/openai/default/1", "revoke"},
                                                              {"E/openai/default/1", "compromise"}});
}

TEST_CASE("aftermath: a file that is not this vault's, or has a line that vaultd does not write, is refused") {
  Aftermath aftermath;
  CHECK_FALSE(aftermath.TakeStops("strongroom-stops 1 other\n", kVault, 1).has_value());
  CHECK_FALSE(aftermath.TakeStops(kTitle + "seven\n", kVault, 1).has_value());
  CHECK_FALSE(aftermath.TakeTrail("{}\n", kVault, 1).has_value());
  CHECK_FALSE(aftermath.TakeTrail("no json\n", kVault, 1).has_value());
  CHECK_FALSE(aftermath.TakeTrail(R"({"log":"another/node","seq":3})" "\n", kVault, 1).has_value());
}

TEST_CASE("aftermath: a file that tells nothing of the time since the backup, or not all of it, is refused") {
  Aftermath aftermath;
  const std::string act = Record(4, R"("action":"seal")"), later = Record(6, R"("action":"seal")");
  for (const std::string& stops : {std::string(), std::string("hello"), std::string("hello\n"), kTitle.substr(0, kTitle.size() - 1), kTitle, kTitle + "5\n", kTitle + "5\n6\n", kTitle + "6\n7"}) {
    INFO(stops);
    CHECK_FALSE(aftermath.TakeStops(stops, kVault, 6).has_value());
  }
  for (const std::string& trail : {std::string(), std::string("hello"), std::string("{}"), act, act.substr(0, act.size() - 1), Record(5, R"("action":"seal")") + "{", act + later}) {
    INFO(trail);
    CHECK_FALSE(Aftermath().TakeTrail(trail, kVault, 4).has_value());
  }
  CHECK_FALSE(Aftermath().TakeTrail(later, kVault, 4).has_value());
  CHECK(Aftermath().TakeTrail(act + Record(5, R"("action":"seal")") + later, kVault, 4).has_value());
  CHECK(aftermath.moves.empty());
}

TEST_CASE("aftermath: lines that a file of stops has lost are counted, and that it is cut is told") {
  Aftermath whole, lacking, cut;
  REQUIRE(whole.TakeStops(kTitle + "5\n6\n7 2 REVOKED A/openai/default/1\n7 3 REVOKED B/openai/default/1\n8\n", kVault, 6).has_value());
  CHECK(whole.missing_acts() == 0);
  CHECK_FALSE(whole.cut);
  REQUIRE(lacking.TakeStops(kTitle + "5\n6\n9\n11\n", kVault, 6).has_value());
  CHECK(lacking.missing_acts() == 3);
  // What the trail has is not missing; what it has behind the last line counts for nothing.
  REQUIRE(lacking.TakeTrail(Record(4, R"("action":"seal","epoch":6)") + Record(5, R"("action":"seal","epoch":7)") + Record(6, R"("action":"seal","epoch":8)") +
                                Record(7, R"("action":"seal","epoch":15)"), kVault, 3).has_value());
  CHECK(lacking.missing_acts() == 1);
  Aftermath trail_alone;
  REQUIRE(trail_alone.TakeTrail(Record(4, R"("action":"seal","epoch":9)"), kVault, 3).has_value());
  CHECK(trail_alone.missing_acts() == 0);
  REQUIRE(cut.TakeStops(kTitle + "5\n6\n7\n8 2 REVO", kVault, 6).has_value());
  CHECK(cut.cut);
}

TEST_CASE("aftermath: what became of profiles, and of the demand for two people") {
  Aftermath aftermath;
  const std::string text = Record(4, R"("action":"move_profile","before":{"profile_ref":"A_DEFAULT"},"after":{"profile_ref":"A_DEFAULT","status":"SUSPENDED"})") +
                           Record(5, R"("action":"move_profile","after":{"profile_ref":"B, the 2nd","status":"SUSPENDED"})") +
                           Record(6, R"("action":"move_profile","after":{"profile_ref":"B, the 2nd","status":"ACTIVE"})") +
                           Record(7, R"("action":"move_profile","after":{"profile_ref":"C_DEFAULT","status":"TERMINATED"})") +
                           Record(8, R"("action":"require_two_people","after":{"two_people":"on"})") + Record(9, R"("action":"offboard","customer":"D","before":{},"after":{})");
  REQUIRE(aftermath.TakeTrail(text, kVault, 3).has_value());
  CHECK(aftermath.profile_moves == std::map<std::string, std::string>{{"A_DEFAULT", "suspend"}, {"C_DEFAULT", "terminate"}});
  CHECK(aftermath.offboarded == std::set<std::string>{"D"});
  CHECK(aftermath.two_people);
  // The last word of each file counts, and that it is demanded weighs more.
  for (const auto& [stops, demanded] : std::map<std::string, bool>{{"5 TWO_PEOPLE ON\n7\n", true}, {"5 TWO_PEOPLE ON\n7 TWO_PEOPLE OFF\n", false}, {"7\n", false}}) {
    CAPTURE(stops);
    Aftermath other;
    REQUIRE(other.TakeStops(kTitle + stops, kVault, 6).has_value());
    CHECK(other.two_people == demanded);
    REQUIRE(other.TakeTrail(Record(4, R"("action":"require_two_people","after":{"two_people":"on"})") + Record(5, R"("action":"require_two_people","after":{"two_people":"off"})"), kVault, 3).has_value());
    CHECK(other.two_people == demanded);
  }
}

TEST_CASE("aftermath: a grace that ended, a rollback and an offboarding stop keys too") {
  Aftermath aftermath;
  const std::string text =
      Record(4, R"("action":"end_grace","key_ref":"A/openai/default/1","before":{"status":"ROTATED"},"after":{"status":"REVOKED"})") +
      Record(5, R"("action":"rollback_key","key_ref":"B/openai/default/1","before":{"key_ref":"B/openai/default/2","status":"ACTIVE"},"after":{"status":"ACTIVE","old_status":"SUSPENDED"})") +
      Record(6, R"("action":"offboard","customer":"C","before":{"keys":"C/openai/default/1 ACTIVE, C/openai/default/2 PENDING","keys_2":"C/openai/x/1 ROTATED","profiles":"C_DEFAULT ACTIVE"},"after":{"keys_revoked":"3"})");
  REQUIRE(aftermath.TakeTrail(text, kVault, 3).has_value());
  CHECK(aftermath.moves == std::map<std::string, std::string>{{"A/openai/default/1", "revoke"},
                                                              {"B/openai/default/2", "suspend"},
                                                              {"C/openai/default/1", "revoke"},
                                                              {"C/openai/default/2", "revoke"},
                                                              {"C/openai/x/1", "revoke"}});
  CHECK(aftermath.keys.contains("B/openai/default/1"));
}

TEST_CASE("aftermath: records behind the backup's last one, and every key they speak of") {
  Aftermath aftermath;
  const std::string text =
      Record(3, R"("action":"move_key","key_ref":"A/openai/default/1","after":{"status":"REVOKED"})") +
      Record(4, R"("action":"add_key","key_ref":"B/openai/default/1")") +
      Record(5, R"("action":"rotate_key","key_ref":"B/openai/default/2","before":{"key_ref":"B/openai/default/1","status":"ACTIVE"},"after":{"old_status":"ROTATED"})") +
      Record(6, R"("action":"move_key","key_ref":"C/openai/default/1","after":{"status":"ACTIVE"})") +
      Record(7, R"("action":"move_key","key_ref":"D/openai/default/1","after":{"status":"COMPROMISED"})") +
      R"({"log":")" + kVault + R"(/n","outcome":"denied","seq":8,"action":"move_key","key_ref":"E/openai/default/1","after":{"status":"REVOKED"}})" "\n";
  REQUIRE(aftermath.TakeTrail(text, kVault, 3).has_value());
  CHECK(aftermath.moves == std::map<std::string, std::string>{{"B/openai/default/1", "suspend"}, {"D/openai/default/1", "compromise"}});
  CHECK(aftermath.keys == std::set<std::string>{"B/openai/default/1", "B/openai/default/2", "C/openai/default/1", "D/openai/default/1"});
}

}  // namespace strongroom::keytool
