// kek backup and kek verify as people meet them: shares on a terminal, copied by hand.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/keytool/command.h"
#include "tests/keytool/terminal.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

using Lines = std::vector<std::string>;

std::string Keytool(const Home& home, const std::string& words) {
  return std::string("exec ") + STRONGROOM_KEYTOOL + " --home " + home.path() + " " + words + " --reason drill";
}

// SharesIn is the five lines of every share that was shown.
std::vector<Lines> SharesIn(const std::string& shown) {
  std::vector<Lines> shares;
  constexpr std::string_view kTitle = "STRONGROOM RECOVERY SHARE";
  for (std::size_t at = shown.find(kTitle); at != std::string::npos; at = shown.find(kTitle, at + 1)) {
    Lines& lines = shares.emplace_back();
    for (const char* start : {"\n1 ", "\n2 ", "\n3 ", "\n4 ", "\n5 "}) {
      const std::size_t line = shown.find(start, at);
      lines.push_back(shown.substr(line + 3, 24));
    }
  }
  return shares;
}

void TypeShare(Terminal& terminal, const Lines& lines) {
  for (const std::string& line : lines) terminal.Type(line + "\n");
}

}  // namespace

TEST_CASE("kek backup on a terminal: shares are shown one by one, and come into force once all are typed in again") {
  const Home home;
  REQUIRE(RunKeytool({"init", "--home", home.path()}).status == 0);
  const Vaultd vaultd(home);
  Terminal backup("/bin/sh", {"-c", Keytool(home, "kek backup --shares 3 --threshold 2")});
  for (int i = 1; i <= 3; ++i) {
    REQUIRE(backup.Shows("then press Enter", i));
    REQUIRE(SharesIn(backup.Shown()).size() == static_cast<std::size_t>(i));
    backup.Type("\n");
  }
  const auto shares = SharesIn(backup.Shown());
  REQUIRE(backup.Shows("Share 1 of 3"));
  // A slip is told at once, and the line asked for again.
  std::string slip = shares[2][1];
  slip[6] = slip[6] == 'q' ? 'p' : 'q';
  TypeShare(backup, {shares[2][0], slip});
  REQUIRE(backup.Shows("line 2 is mistyped, most likely in character 2 of group 2; type it again"));
  TypeShare(backup, {shares[2].begin() + 1, shares[2].end()});
  REQUIRE(backup.Shows("Share 2 of 3"));
  TypeShare(backup, shares[2]);
  REQUIRE(backup.Shows("share 3, which was given already"));
  CHECK(!Has(RunKeytool({"status", "--home", home.path()}).out, "recovery set id"));
  TypeShare(backup, shares[0]);
  REQUIRE(backup.Shows("Share 3 of 3"));
  TypeShare(backup, shares[1]);
  REQUIRE(backup.Shows("is in force: any 2 of its 3 shares"));
  CHECK(backup.Ended() == 0);
  // The second screen is wiped and left.
  CHECK(Has(backup.Shown(), "\x1b[2J\x1b[H\x1b[?1049l"));
  CHECK(Has(RunKeytool({"status", "--home", home.path()}).out, "recovery set id"));

  Terminal verify("/bin/sh", {"-c", Keytool(home, "kek verify")});
  REQUIRE(verify.Shows("Share 1 of 2"));
  TypeShare(verify, shares[1]);
  REQUIRE(verify.Shows("Share 2 of 2"));
  // A share may also be in a file.
  verify.Type(home.File("none", "") + "\n");
  REQUIRE(verify.Shows("none: it is no recovery share"));
  TypeShare(verify, shares[0]);
  REQUIRE(verify.Shows("open KEK 1"));
  CHECK(verify.Ended() == 0);
}

TEST_CASE("node confirm on a terminal: the check phrase is asked for, and does not show") {
  const Home home;
  REQUIRE(RunKeytool({"init", "--home", home.path()}).status == 0);
  const Vaultd vaultd(home);
  Terminal confirm("/bin/sh", {"-c", Keytool(home, "node confirm 0123456789abcdef")});
  REQUIRE(confirm.Shows("Check phrase of node 0123456789abcdef (it does not show): "));
  REQUIRE(confirm.WaitsForEcho(false));
  confirm.Type("qqqq-wwww\n");
  CHECK(confirm.Ended() == 1);
  CHECK(Has(confirm.Shown(), "node"));
  CHECK_FALSE(Has(confirm.Shown(), "qqqq-wwww"));
}

TEST_CASE("kek backup on a terminal: interrupted, it leaves the screen and brings nothing into force") {
  const Home home;
  REQUIRE(RunKeytool({"init", "--home", home.path()}).status == 0);
  const Vaultd vaultd(home);
  Terminal backup("/bin/sh", {"-c", Keytool(home, "kek backup --shares 2 --threshold 2")});
  REQUIRE(backup.Shows("then press Enter"));
  backup.Type("\x03");
  CHECK(backup.Ended() != 0);
  CHECK(backup.Shows("\x1b[2J\x1b[H\x1b[?1049l"));
  CHECK(!Has(RunKeytool({"status", "--home", home.path()}).out, "recovery set id"));
}

TEST_CASE("kek backup into files: stopped while the shares are read back, it leaves none") {
  const Home home;
  REQUIRE(RunKeytool({"init", "--home", home.path()}).status == 0);
  const Vaultd vaultd(home);
  const std::string directory = home.path() + "-shares";
  const std::string words = "kek backup --shares 2 --threshold 2 --out " + directory;
  const auto gone = [](const std::string& path) {
    for (int i = 0; i < 500 && std::filesystem::exists(path); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return !std::filesystem::exists(path);
  };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    INFO(number);
    Terminal backup("/bin/sh", {"-c", Keytool(home, words)});
    REQUIRE(backup.Shows("Share 1 of 2"));
    REQUIRE(std::filesystem::exists(directory + "/share-2"));
    // keytool alone is told, but for the terminal's own key.
    if (number == SIGINT) backup.Type("\x03");
    else backup.Signal(number);
    CHECK(backup.Ended() != 0);
    CHECK(gone(directory));
  }
  // What was there before is neither written over nor taken away.
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/share-2") << "old";
  Terminal refused("/bin/sh", {"-c", Keytool(home, words)});
  CHECK(refused.Shows("share-2: is there already, and no share is written over"));
  CHECK(refused.Ended() == 1);
  CHECK(std::filesystem::exists(directory + "/share-2"));
  CHECK_FALSE(std::filesystem::exists(directory + "/share-1"));
  std::filesystem::remove_all(directory);
}

}  // namespace strongroom::keytool
