// `auditlog verify` of trails that nothing is wrong with: how far they are vouched for, and by whom.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/audit/published.h"
#include "tests/audit/signed_trail.h"

namespace strongroom::audit {
namespace {

constexpr int kRecords = 300;

void Expect(int status, const std::string& arguments, const std::string& part) {
  const Run run = Auditlog("verify " + arguments);
  INFO(arguments << ": " << run.out);
  CHECK(run.status == status);
  CHECK(run.Has(part));
}

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

}  // namespace

TEST_CASE("verify: a home that was stopped is verified to its end") {
  const SignedTrail trail(kRecords);
  for (const std::string& arguments : {"--home " + trail.home() + " verify", "verify --home " + trail.home(),
                                       "verify --vkey " + trail.vkey() + " --home " + trail.home()}) {
    const Run run = Auditlog(arguments);
    INFO(run.out);
    CHECK(run.status == 0);
    CHECK(run.out.starts_with("verified    300 records\n"));
    CHECK(run.Has(trail.vkey()));
  }
  const Run json = Auditlog("verify --json --home " + trail.home());
  INFO(json.out);
  CHECK(json.status == 0);
  CHECK(json.out.starts_with("{\"verdict\":\"verified\",\"records\":300,\"head\":\"" + trail.Verify().head + "\""));
  CHECK(json.Has("\"unsigned_records\":0"));
  CHECK(json.Has("\"root\":\"" + Base64(trail.HeadAt(kRecords).root) + "\""));
  CHECK(json.Has("\"size\":300,\"state\":\"valid\""));
}

TEST_CASE("verify: a home that is written to meanwhile is verified to its end") {
  const SignedTrail trail(kRecords);
  std::atomic<bool> done = false;
  std::vector<Run> runs;
  std::thread reader([&] {
    for (int i = 0; i < 20; ++i) runs.push_back(Auditlog("verify --home " + trail.home()));
    done = true;
  });
  while (!done) trail.Grow(200);
  reader.join();
  for (const Run& run : runs) {
    INFO(run.out);
    CHECK(run.status == 0);
  }
  Expect(0, "--home " + trail.home(), "verified");
}

TEST_CASE("verify: without a checkpoint the tail is unsigned") {
  const SignedTrail trail(kRecords);
  Expect(3, "--db " + trail.file().string(), "no checkpoint: the tail is unsigned");
  const Run json = Auditlog("verify --json --db " + trail.file().string());
  CHECK(json.status == 3);
  CHECK(json.Has("\"verdict\":\"unsigned\",\"records\":300"));
  CHECK(json.Has("\"unsigned_records\":300"));
  // In a home that is worse: there should be an anchor.
  std::filesystem::remove(trail.anchor());
  Expect(1, "--home " + trail.home(), "the home's anchor is missing");
  Expect(1, "--home " + trail.home(), "put it back from a copy");
  Expect(1, "--json --home " + trail.home(), "\"first_bad_seq\":0,\"kind\":\"signature\"");
}

TEST_CASE("verify: an anchor that is away for a moment is waited for, as when vaultd takes a new origin") {
  const SignedTrail trail(kRecords);
  std::atomic<bool> done = false;
  std::thread renaming([&] {
    while (!done) {
      std::filesystem::rename(trail.anchor(), trail.home() + "/anchor.before");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      std::filesystem::rename(trail.home() + "/anchor.before", trail.anchor());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  std::vector<Run> runs;
  for (int i = 0; i < 20; ++i) runs.push_back(Auditlog("verify --home " + trail.home()));
  done = true;
  renaming.join();
  for (const Run& run : runs) {
    INFO(run.out);
    CHECK(run.status == 0);
  }
}

TEST_CASE("verify: what the home has published is looked at too") {
  const SignedTrail trail(kRecords);
  const std::string published = trail.home() + "/checkpoints";
  std::filesystem::create_directory(published);
  const auto publish = [&](const std::string& name, const std::string& note) { trail.Write("checkpoints/" + name, note); };
  const auto sign = [&](std::int64_t size) { return trail.signer().Sign(trail.HeadAt(size)); };
  for (int hour = 10; hour < 40; ++hour) publish("checkpoint-2026-11-" + std::to_string(hour) + "T08Z", sign(hour));
  publish("checkpoint", sign(280));
  SECTION("and says how many there are: the newest, and a bounded number of the hourly ones") {
    Expect(0, "--home " + trail.home(), "25 valid, the newest of 280 records");
    Expect(0, "--json --home " + trail.home(), "checkpoint-2026-11-39T08Z\"");
  }
  SECTION("nothing is said of a copy") { Expect(3, "--db " + trail.file().string(), "no checkpoint"); }
  SECTION("what is none there, or another's, is passed over") {
    publish("checkpoint", Signer("strongroom/other/audit", 1).Sign(trail.HeadAt(280)));
    publish("checkpoint-2026-12-01T08Z", "rubbish");
    publish("checkpoint-2026-12-01T09Z", Signer(trail.signer().key().name, 2).Sign({900, Hash{}}));
    REQUIRE(mkfifo((published + "/checkpoint-2026-12-01T10Z").c_str(), 0600) == 0);
    Expect(0, "--home " + trail.home(), "21 valid, the newest of 39 records");
  }
  SECTION("the newest under this log's name, by a key that nobody knows") {
    publish("checkpoint", Signer(trail.signer().key().name, 2).Sign({900, Hash{}}));
    Expect(1, "--home " + trail.home(), "checkpoint (900 records) is not signed by the key that counts");
  }
  SECTION("an anchor that was put back together with an older database") {
    publish("checkpoint-2026-12-01T08Z", trail.signer().Sign({310, HashLeaf("what was cut")}));
    Expect(1, "--home " + trail.home(), "truncated");
    Expect(1, "--home " + trail.home(), "vouches for more");
  }
  SECTION("everything written anew, the anchor too") {
    trail.Rewrite(100);
    trail.RebuildTree();
    std::filesystem::remove(trail.anchor());
    Expect(1, "--home " + trail.home(), "fork");
    Expect(1, "--json --home " + trail.home(), "\"first_bad_seq\":39,\"kind\":\"fork\"");
  }
  SECTION("they vouch where the anchor was deleted, and it is named") {
    std::filesystem::remove(trail.anchor());
    Expect(1, "--json --home " + trail.home(), "\"first_bad_seq\":280,\"kind\":\"signature\"");
  }
}

TEST_CASE("verify: lines of vaultd's log are checkpoints too") {
  const SignedTrail trail(kRecords);
  const auto line = [&](const std::string& note) {
    std::string text;
    for (const char c : note) text += c == '\n' ? "\\n" : std::string(1, c);
    return R"({"ts":"2026-11-20T08:00:00.123Z","pid":7,"level":"info","event":"checkpoint","size":1,"note":")" + text + "\"}\n";
  };
  const std::string other = R"({"event":"vaultd_start","note":"none"})" "\n" R"({"event":"checkpoint"})" "\nno JSON\n";
  const auto sign = [&](std::int64_t size) { return trail.signer().Sign(trail.HeadAt(size)); };
  const std::string db = "--db " + trail.file().string() + " --vkey " + trail.vkey() + " ";
  const std::string log = trail.Write("vaultd.log", other + line(sign(100)) + other + line(sign(kRecords)));
  Expect(0, db + log, "2 valid, the newest of 300 records");
  Expect(0, db + "- < " + log, "standard input");
  Expect(0, db + trail.Write("one", line(sign(kRecords))), "1 valid, the newest of 300 records");
  // What stands in a log is checked like any other.
  Expect(1, db + trail.Write("forged", line(sign(100)) + line(Signer(trail.signer().key().name, 2).Sign(trail.HeadAt(kRecords)))), "signature");
  Expect(2, db + trail.Write("none", other), "no line of it is a checkpoint");
  Expect(2, db + trail.Write("broken", line("no note")), "this is no note");
  std::string many;
  for (int i = 0; i <= 10'000; ++i) many += line("x");
  Expect(2, db + trail.Write("many", many), "too many checkpoints");
}

TEST_CASE("verify: what the trail tells of its own past is named") {
  const SignedTrail trail(kRecords);
  const Signer next("strongroom/test/0123456789abcdef/audit", 1);
  {
    const auto writer = trail.StartWriter();
    Draft tail = SampleDraft();
    tail.action = "recovered_tail";
    tail.after = Facts{{"from", "290"}, {"to", "299"}};
    REQUIRE(writer->Append(tail));
    Draft origin = SampleDraft();
    origin.action = "new_origin";
    origin.after = Facts{{"verifier_key", next.key().Print()}};
    REQUIRE(writer->Append(origin));
  }
  const std::string db = "--db " + trail.file().string();
  Expect(3, db, "records 290 to 299 were found at a start");
  Expect(3, db, "from record 301 on the log's name is " + next.key().name);
  Expect(3, "--json " + db, R"("recovered_tails":[{"seq":300,"from":"290","to":"299"}],"new_origins":[{"seq":301,"origin":")" + next.key().name);
  const Run report = Auditlog("report " + db);
  CHECK(report.Has("records 290 to 299 were found at a start"));
  CHECK(report.Has("from record 301 on the log's name is"));
}

TEST_CASE("verify: with --json it says whose key counted, and what to do next") {
  const SignedTrail trail(kRecords);
  const std::string key = R"("key":{"vkey":")" + trail.vkey();
  Expect(0, "--json --home " + trail.home(), key + R"(","source":"database"})");
  Expect(0, "--json --vkey " + trail.vkey() + " --home " + trail.home(), key + R"(","source":"named"})");
  Expect(3, "--json --db " + trail.file().string(), R"("next":"name a checkpoint)");
  const std::string proof = trail.Write("proof", Auditlog("prove inclusion 7 --home " + trail.home()).out);
  const std::string of_proof = "--json --proof " + proof + " --vkey " + trail.vkey() + " --record " + trail.Write("record", trail.Record(7));
  Expect(0, of_proof, key + R"(","source":"named"})");
  trail.Write("record", trail.Record(8));
  Expect(1, of_proof, R"("next":"ask for the record's exact bytes again)");
  trail.Store(100, "{}");
  Expect(1, "--json --home " + trail.home(), R"("next":"copy the database)");
}

TEST_CASE("verify: a copy is held against checkpoints that were kept elsewhere") {
  const SignedTrail trail(kRecords);
  const std::string all = trail.Checkpoint(kRecords), some = trail.Checkpoint(250), one = trail.Checkpoint(1);
  const std::string copy = "--db " + trail.Copy("copy.db") + " --vkey " + trail.vkey() + " ";
  Expect(0, copy + all, "valid, 300 records");
  Expect(0, copy + one + " " + all + " " + some, "valid, 250 records");
  Expect(0, copy + "- < " + all, "standard input");
  Expect(0, copy + trail.anchor(), "valid, 300 records");  // a copy of the anchor does
  Expect(0, copy + Quoted(trail.Write("extended", [&] {
           const std::string body = Checkpoint{trail.signer().key().name, trail.HeadAt(kRecords)}.Body() + "an extension\n";
           return body + '\n' + trail.signer().Line(body);
         }())), "valid");
  Expect(3, copy + some, "50 records, the newest");
  Expect(3, copy + some, "does not cover the end");
  // The database's own key counts where nobody names one, for what the log's records name.
  Expect(0, "--db " + trail.file().string() + " " + all, "compare it with one that was noted");
  // The key in a file.
  Expect(0, "--db " + trail.file().string() + " --vkey " + trail.Write("vkey", trail.vkey() + "\n") + " " + all, "--vkey");
}

TEST_CASE("verify: what lies beyond the anchor is unsigned, and so is all while the vault is sealed") {
  const SignedTrail trail(kRecords);
  SECTION("sealed") {
    trail.Grow(5, true);
    Expect(3, "--home " + trail.home(), "the vault is sealed");
    trail.Grow(1);
    Expect(0, "--home " + trail.home(), "verified    306 records");
  }
  SECTION("a group that never got to the anchor") {
    const std::string before = trail.Read(trail.anchor());
    trail.Grow(5);
    trail.Write("anchor", before);
    Expect(3, "--home " + trail.home(), "5 records, the newest");
    Expect(3, "--home " + trail.home(), "start vaultd");
  }
}

TEST_CASE("verify: an unsigned anchor is evidence all the same") {
  const SignedTrail trail(kRecords);
  const std::string before = trail.Copy("before.db");
  trail.Grow(5, true);
  for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(trail.file().string() + beside);
  std::filesystem::copy_file(before, trail.file(), std::filesystem::copy_options::overwrite_existing);
  Expect(1, "--home " + trail.home(), "rollback");
}

TEST_CASE("verify: an unsigned anchor under a name that no record tells is another log's") {
  const SignedTrail trail(kRecords);
  for (const std::int64_t size : {0, 1, kRecords}) {
    std::filesystem::remove(trail.anchor());
    REQUIRE(Anchor::Create(trail.anchor(), {"strongroom/nobody/audit", trail.HeadAt(size)}).has_value());
    Expect(1, "--home " + trail.home(), "is of another log: strongroom/nobody/audit");
  }
}

TEST_CASE("verify: witnesses are counted by their keys") {
  const SignedTrail trail(kRecords);
  const Signer one("w.example/one", 11, SignatureType::kCosignature), two("w.example/two", 12, SignatureType::kCosignature);
  const Signer again("w.example/again", 11, SignatureType::kCosignature);
  const std::string body = Checkpoint{trail.signer().key().name, trail.HeadAt(kRecords)}.Body();
  const std::string base = "--db " + trail.file().string() + " --vkey " + trail.vkey() + " ";
  const auto witness = [](const Signer& signer) { return "--witness " + signer.key().Print() + " "; };
  const std::string both = trail.Checkpoint(kRecords, one.CosignLine(body, 1'700'000'000) + two.CosignLine(body, 1'700'000'001));
  Expect(0, base + witness(one) + witness(two) + both, "witnesses: 2");
  Expect(0, base + witness(one) + both, "witnesses: 1");
  const std::string with_one = trail.Checkpoint(kRecords, one.CosignLine(body, 1'700'000'000) + again.CosignLine(body, 1'700'000'000));
  Expect(3, base + witness(one) + witness(two) + with_one, "too few witnesses");
  Expect(0, base + witness(one) + witness(two) + "--quorum 1 " + with_one, "witnesses: 1");
  Expect(0, base + witness(one) + witness(again) + with_one, "witnesses: 1");  // one key under two names
  Expect(2, base + witness(one) + witness(again) + "--quorum 2 " + with_one, "more witnesses than --witness names");
  const std::string forged = trail.Checkpoint(kRecords, one.CosignLine(body + "x", 1'700'000'000));
  Expect(3, base + witness(one) + forged, "too few witnesses");
  // The anchor has no witness's signature.
  Expect(3, "--home " + trail.home() + " " + witness(one), "too few witnesses");
  Expect(2, base + witness(one) + "--quorum 2 " + with_one, "more witnesses than --witness names");
  Expect(2, base + "--quorum 1 " + with_one, "auditlog");
  Expect(2, base + witness(one) + "--quorum 0 " + with_one, "--quorum");
  Expect(2, base + "--witness " + trail.vkey() + " " + with_one, "takes the key of a witness");
}

TEST_CASE("verify: a home that was put back signs under another name, and is one log") {
  const SignedTrail trail(kRecords);
  const std::string old_checkpoint = trail.Checkpoint(kRecords);
  const Signer next("strongroom/test/0123456789abcdef/audit", 1), stranger("strongroom/test/fedcba9876543210/audit", 1);
  const auto checkpoint = [&](const Signer& signer, const std::string& file) {
    return trail.Write(file, signer.Sign(trail.HeadAt(trail.Verify().records)));
  };
  Draft draft = SampleDraft();
  draft.action = "new_origin";
  draft.after = Facts{{"verifier_key", next.key().Print()}};
  draft.before = Facts{{"checkpoint", "…"}};
  REQUIRE(trail.StartWriter()->Append(draft));
  const std::string new_checkpoint = checkpoint(next, "new");
  const std::string copy = "--db " + trail.file().string() + " --vkey ";
  // Whichever of its names was noted.
  Expect(0, copy + trail.vkey() + " " + old_checkpoint + " " + new_checkpoint, "valid, 301 records");
  Expect(0, copy + next.key().Print() + " " + old_checkpoint + " " + new_checkpoint, "valid, 300 records");
  Expect(3, copy + next.key().Print() + " " + old_checkpoint, "1 records, the newest");
  // The log before went on for a while: what it signed since is of records that are not here.
  const std::string went_on = trail.Write("went-on", trail.signer().Sign({310, HashLeaf("another trail")}));
  Expect(1, copy + trail.vkey() + " " + went_on + " " + new_checkpoint, "put back from a backup");
  const Run lost = Auditlog("verify --json " + copy + trail.vkey() + " " + went_on);
  CHECK(lost.Has("\"first_bad_seq\":300,\"kind\":\"fork\""));
  // A name that no record tells, and a name that is told with another key.
  Expect(1, copy + trail.vkey() + " " + checkpoint(stranger, "strange"), "of another log");
  Expect(1, copy + trail.vkey() + " " + checkpoint(Signer(next.key().name, 2), "wrong"), "not signed by the key");
}

TEST_CASE("verify: a copy on a medium that cannot be written to") {
  const SignedTrail trail(kRecords);
  const std::string medium = trail.home() + "/medium?#%";
  std::filesystem::create_directory(medium);
  if (mount("none", medium.c_str(), "tmpfs", 0, "size=16m") != 0) {
    WARN("not allowed to mount: the medium stays writable");
  }
  const std::string checkpoint = trail.Checkpoint(kRecords);
  std::filesystem::copy_file(trail.Copy("copy.db"), medium + "/copy.db");
  const bool mounted = mount("none", medium.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  Expect(0, "--db " + Quoted(medium + "/copy.db") + " --vkey " + trail.vkey() + " " + checkpoint, "verified    300 records");
  if (mounted) umount(medium.c_str());
}

TEST_CASE("verify: a copy in a directory that the auditor may not write to") {
  if (geteuid() != 0) return;  // nobody else can become somebody else
  const SignedTrail trail(kRecords);
  const std::string place = trail.home() + "/copy";
  std::filesystem::create_directory(place);
  std::filesystem::copy_file(trail.Copy("copy.db"), place + "/vault.db");
  for (const std::string& path : {trail.home(), place}) REQUIRE(chmod(path.c_str(), 0755) == 0);
  REQUIRE(chmod((place + "/vault.db").c_str(), 0644) == 0);
  const auto as_auditor = [](const std::string& arguments) { return RunShell(arguments, "setpriv --reuid=65534 --regid=65534 --clear-groups "); };
  const std::string db = "--db " + place + "/vault.db";
  const auto verify = [&] { return as_auditor("verify " + db + " --vkey " + trail.vkey() + " " + trail.Checkpoint(kRecords)); };
  CHECK(verify().status == 0);
  CHECK(as_auditor("search " + db + " --limit 1").status == 0);
  CHECK(as_auditor("report denied " + db).status == 0);
  SECTION("with a log that is empty") {
    std::ofstream(place + "/vault.db-wal").close();
    REQUIRE(chmod((place + "/vault.db-wal").c_str(), 0644) == 0);
    CHECK(verify().status == 0);
  }
  SECTION("with a log that is not, which holds the newest records") {
    std::ofstream(place + "/vault.db-wal") << std::string(4096, 'x');
    REQUIRE(chmod((place + "/vault.db-wal").c_str(), 0644) == 0);
    const Ran run = verify();
    INFO(run.complaints);
    CHECK(run.status == 2);
    CHECK(run.complaints.find("copy both files into a directory that can be") != std::string::npos);
  }
}

TEST_CASE("verify: what cannot be checked exits 2") {
  const SignedTrail trail(5);
  const std::string good = trail.Checkpoint(5), db = "--db " + trail.file().string() + " ";
  Expect(2, db + trail.home() + "/nowhere", "cannot be read");
  Expect(2, db + trail.Write("rubbish", "rubbish"), "this is no note");
  Expect(2, db + trail.Write("no-checkpoint", "text\n\n" + trail.signer().Line("text\n")), "this is no checkpoint");
  Expect(2, db + "--vkey rubbish " + good, "no verifier key");
  Expect(2, db + "--vkey " + Signer("w", 1, SignatureType::kCosignature).key().Print() + " " + good, "takes the key of a log");
  Expect(2, db + "--bundle " + trail.home(), "auditlog");
  Expect(2, "--bundle " + trail.home() + "/nowhere", "cannot be read");
  const std::string pipe = trail.home() + "/pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& never : {pipe, std::string("/dev/zero")}) {
    Expect(2, db + never, "no plain file");
    Expect(2, db + "--vkey " + never + " " + good, "no plain file");
    Expect(2, "--proof " + never + " --record " + good + " --vkey " + trail.vkey(), "no plain file");
    Expect(2, "--db " + never, "no regular file");
  }
  trail.Execute("DELETE FROM VAULT");
  Expect(2, db + good, "--vkey");
}

}  // namespace strongroom::audit
