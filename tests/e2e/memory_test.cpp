// A key in memory: gone from every readable page of worker and vaultd as soon as the head of its request is
// sent, whatever becomes of the request and whatever the provider sends back. A program that takes a secret and ends has
// nothing of it left when it reports.
#include "tests/e2e/house.h"
#include "tests/e2e/tokened.h"
#include "tests/fault/memory_scan.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

namespace strongroom::e2e {

namespace {

using fault::MemoryScan;
using fault::Scan;

void NotChecked(const std::string& why) {
  WARN("not checked: " << why);
}

const std::string kOpenAi = R"({"customer":"BARCO","profile_ref":"BARCO_DEFAULT"})";

// TwoKeys is a house with a key in each kind of header: ACME's in x-api-key, BARCO's as a Bearer.
void TwoKeys(House& house, const SimOptions& options = {}) {
  house.Ready(options);
  house.Onboard("BARCO", "openai", "gpt-5-mini");
}

MemoryScan ScanFor(House& house) {
  return MemoryScan({house.KeyText("ACME"), house.KeyText("BARCO")});
}

void ExpectNone(House& house, const MemoryScan& scan, const std::string& when) {
  const std::vector<std::pair<std::string, pid_t>> processes = {{"worker", house.worker().pid()},
                                                                {"vaultd", house.vaultd().pid()}};
  for (const auto& [name, pid] : processes) {
    const Scan found = scan.OfProcess(pid);
    INFO(name << " " << when << ": " << found.Text());
    CHECK(found.bytes > 1'000'000);
    CHECK(found.hits == 0);
  }
}

// ExpectNoneInCore has gdb write a core of each, register notes included. Root may, though the programs
// forbid it.
void ExpectNoneInCore(House& house, const MemoryScan& scan) {
  for (const pid_t pid : {house.worker().pid(), house.vaultd().pid()}) {
    const Ended dumped = Run({"/usr/bin/gcore", {"-a", "-o", house.Path("core"), std::to_string(pid)}},
                             house.Path("run/gcore-" + std::to_string(pid)));
    const std::string core = house.Path("core." + std::to_string(pid));
    if (!std::filesystem::exists(core)) return NotChecked("gcore wrote no core: " + dumped.out + dumped.err);
    const Scan found = scan.OfFile(core);
    INFO(found.Text());
    CHECK(found.bytes > 1'000'000);
    CHECK(found.hits == 0);
    std::filesystem::remove(core);
  }
}

std::string OfSize(const std::string& directive, std::size_t bytes) {
  return directive + " " + std::string(bytes, 'p');
}

// FullPipe has no room: who writes to it waits there, and can be looked into.
class FullPipe {
 public:
  FullPipe() {
    REQUIRE(pipe2(ends_, O_CLOEXEC | O_NONBLOCK) == 0);
    while (write(ends_[1], "....", 4) > 0) {
    }
    REQUIRE(fcntl(ends_[1], F_SETFL, 0) == 0);
  }
  FullPipe(const FullPipe&) = delete;
  ~FullPipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int writable() const { return ends_[1]; }

 private:
  int ends_[2] = {-1, -1};
};

// ExpectNoneAtReport runs a program until it writes its report, and looks into it there for `secrets`.
void ExpectNoneAtReport(House& house, Launch launch, const std::function<std::vector<std::string>()>& secrets) {
  const FullPipe full;
  launch.output = full.writable();
  Process program(launch, house.Path("run/reporting"));
  const std::string in_kernel = "/proc/" + std::to_string(program.pid()) + "/syscall";
  const bool reports = Eventually([&] { return ReadWhole(in_kernel).starts_with("1 0x1 ") || !program.running(); });
  INFO(launch.program << " " << launch.arguments[2] << ": " << program.Err());
  REQUIRE(reports);
  REQUIRE(program.running());
  const Scan found = MemoryScan(secrets()).OfProcess(program.pid());
  INFO(found.Text());
  CHECK(found.bytes > 1'000'000);
  CHECK(found.hits == 0);
}

// SecretLines is the lines of shares that hold the secret: "3 abcde fghij …".
std::vector<std::string> SecretLines(const std::vector<std::string>& shares) {
  std::vector<std::string> lines;
  for (const std::string& share : shares) {
    for (const std::string& line : Lines(ReadWhole(share))) {
      if (line.size() > 20 && line[0] >= '1' && line[0] <= '9' && line[1] == ' ') lines.push_back(line.substr(2));
    }
  }
  REQUIRE(lines.size() > shares.size());
  return lines;
}

}  // namespace

TEST_CASE("memory: no piece of a key after calls of any kind and size, nor in a core") {
  if (geteuid() != 0) return NotChecked("needs root");
  House house;
  TwoKeys(house, {{"--fault", "429:0.05,500:0.05,cut:0.03"}});
  const MemoryScan scan = ScanFor(house);
  // The scan finds what is there: provider-sim knows the keys it compares with.
  REQUIRE(scan.OfProcess(house.sim().process().pid()).hits >= 2);
  const Ended batch = house.Batch({"submit", house.Prompts("rows.jsonl", 200), "--customer", "ACME",
                                   "--profile", "ACME_DEFAULT", "--out", house.Path("rows.out")});
  REQUIRE(batch.code >= 0);
  ExpectNone(house, scan, "after a batch");

  int number = 0;
  for (const std::string& extra : {std::string("{}"), kOpenAi}) {
    for (const std::size_t bytes : {1'000UL, 20'000UL, 60'000UL}) {
      const int first = number;
      for (const char* directive :
           {"", "[[fault:429x1]]", "[[fault:500x1]]", "[[fault:cut]]", "[[fault:cutmid]]",
            "[[fault:malformed]]", "[[fault:htmlx1]]", "[[fault:401]]"}) {
        house.SendRequest("r-" + std::to_string(number++), OfSize(directive, bytes), extra);
      }
      for (int i = first; i < number; ++i) REQUIRE(!house.AwaitReply("r-" + std::to_string(i)).empty());
      ExpectNone(house, scan, "after " + std::to_string(bytes) + " bytes of prompt, " + extra);
    }
  }
  ExpectNoneInCore(house, scan);
}

TEST_CASE("memory: no piece of a key while calls wait, after timeouts and after a revocation") {
  if (geteuid() != 0) return NotChecked("needs root");
  House house;
  TwoKeys(house);
  const MemoryScan scan = ScanFor(house);
  for (int i = 0; i < 20; ++i) {
    house.SendRequest("w-" + std::to_string(i), OfSize("[[latency:2000]]", 20'000),
                      i % 2 == 0 ? "{}" : kOpenAi);
  }
  REQUIRE(Eventually([&] { return house.sim().CallsOf("w-19") == 1 && house.sim().CallsOf("w-18") == 1; }));
  ExpectNone(house, scan, "during calls");
  for (int i = 0; i < 20; ++i) REQUIRE(!house.AwaitReply("w-" + std::to_string(i)).empty());

  house.SendRequest("t-1", OfSize("[[fault:timeout]]", 60'000), R"({"timeout_ms":700})");
  REQUIRE(Field(house.AwaitReply("t-1"), "error_code") == "TIMEOUT");
  REQUIRE(house.Act({"revoke", "ACME/anthropic/default/1"}).code == 0);
  REQUIRE(Field(house.Ask("t-2", "revoked"), "error_code") == "PROVIDER_AUTH");
  ExpectNone(house, scan, "after a timeout and a revocation");
}

TEST_CASE("memory: a key that the provider sends back does not stay") {
  if (geteuid() != 0) return NotChecked("needs root");
  House house;
  TwoKeys(house);
  const MemoryScan scan = ScanFor(house);
  int number = 0;
  for (const std::string& extra : {std::string("{}"), kOpenAi}) {
    for (const char* fault : {"echo400", "echo401", "echoaside", "echoheader", "echo302", "echocut"}) {
      for (const std::size_t bytes : {1'000UL, 60'000UL}) {
        const std::string id = "e-" + std::to_string(number++);
        const std::string reply =
            house.Ask(id, OfSize("[[fault:" + std::string(fault) + "]]", bytes), extra);
        REQUIRE(!reply.empty());
        CHECK(scan.OfBytes(reply).hits == 0);
        ExpectNone(house, scan, std::string("after ") + fault + ", " + extra);
      }
    }
  }
  CHECK(scan.OfBytes(house.worker().Err() + house.vaultd().Err()).hits == 0);
  ExpectNoneInCore(house, scan);
}

TEST_CASE("memory: a KEK and the PIN of its token are nowhere after an unseal, a rotation and a removal") {
  if (geteuid() != 0) return NotChecked("needs root");
  const vault::SoftToken token;
  House house;
  const auto environment = Tokened(house, token);
  const std::string pin = PinFile(house, "pin", vault::SoftToken::kPin), kek = ReadWhole(house.home() + "/kek/1.key");
  REQUIRE(kek.size() == 32);
  REQUIRE(house.Act({"kek", "add-protector", "pkcs11", "--pin-file", pin}).code == 0);
  REQUIRE(house.Act({"kek", "remove-protector", "file", "--pin-file", pin}).code == 0);
  const MemoryScan scan({kek, vault::SoftToken::kPin});
  ExpectNone(house, scan, "after a token's protector was added");
  house.vaultd().Stop();
  house.StartVaultd(environment);
  REQUIRE(house.Act({"unseal", "--pin-file", pin}).code == 0);
  ExpectNone(house, scan, "after an unseal by a token");
  REQUIRE(house.Act({"kek", "rotate", "--pin-file", pin}).code == 0);
  ExpectNone(house, scan, "after a rotation under a token");
  ExpectNoneInCore(house, scan);
}

TEST_CASE("memory: keytool and a ceremony have nothing of their secrets left when they report") {
  if (geteuid() != 0) return NotChecked("needs root");
  House house;
  house.Ready();
  house.NewKey("CARGO");
  const auto launch = [&](const std::string& program, std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), {"--home", house.home()});
    return Launch{.program = program, .arguments = std::move(words), .input = input};
  };
  const auto keys = [&] { return std::vector{house.KeyText("CARGO")}; };
  ExpectNoneAtReport(house,
                     launch("keytool",
                            {"onboard", "CARGO", "--provider", "anthropic", "--model", "claude-sonnet-4-5", "--endpoint",
                             house.sim().endpoint(), "--key-file", "-", "--reason", "r"},
                            house.KeyText("CARGO")),
                     keys);
  ExpectNoneAtReport(
      house, launch("keytool", {"rotate", "CARGO/anthropic/default/1", "--key-file", house.KeyFile("CARGO"), "--reason", "r"}), keys);
  REQUIRE(house.Act({"invite", "CARGO", "--provider", "anthropic", "--out", house.Path("ticket")}).code == 0);
  ExpectNoneAtReport(
      house, launch("keytool", {"seal", "--ticket", house.Path("ticket"), "--yes", "--key-file", "-"}, house.KeyText("CARGO")), keys);

  const auto files = [&](const std::string& set) {
    std::vector<std::string> shares;
    for (const char* name : {"/share-1", "/share-2", "/share-3"}) shares.push_back(house.Path(set) + name);
    return shares;
  };
  const std::vector<std::string> tried = files("tried"), shares = files("set");
  ExpectNoneAtReport(house,
                     launch("vaultd", {"--ceremony", "split", "--shares", "3", "--threshold", "2", "--out", house.Path("tried"),
                                       "--share", tried[0], "--share", tried[1], "--share", tried[2]}),
                     [&] { return SecretLines(tried); });
  REQUIRE(house.Act({"kek", "backup", "--shares", "3", "--threshold", "2", "--out", house.Path("set"), "--read-back", shares[0],
                     shares[1], shares[2]})
              .code == 0);
  const std::string kek = ReadWhole(house.home() + "/kek/1.key");
  const auto parts = [&] {
    std::vector<std::string> secrets = SecretLines(shares);
    secrets.push_back(kek);
    return secrets;
  };
  REQUIRE(house.vaultd().Stop().code == 0);
  REQUIRE(std::filesystem::remove(house.home() + "/kek/1.key"));
  for (const char* ceremony : {"restore", "verify"}) {
    ExpectNoneAtReport(house, launch("vaultd", {"--ceremony", ceremony, "--share", shares[2], "--share", shares[0]}), parts);
  }
  REQUIRE(ReadWhole(house.home() + "/kek/1.key") == kek);
}

}  // namespace strongroom::e2e
