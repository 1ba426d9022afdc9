// auditlog export: what outsiders are handed, read back without the code that wrote it where that matters.
#include "tests/audit/published.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "audit/bundle.h"
#include "audit/checkpoint.h"
#include "audit/merkle.h"
#include "audit/tiles.h"

namespace strongroom::audit {
namespace {

std::vector<std::string> LinesOf(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::set<std::string> FilesIn(const std::filesystem::path& directory) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) files.insert(std::filesystem::relative(entry.path(), directory).string());
  }
  return files;
}

// What is in a home besides its own files and `target`.
std::set<std::string> LeftBehind(const Trail& trail, const std::string& target) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(trail.directory())) {
    const std::string name = entry.path().filename();
    const bool ours = name.starts_with("vault.db") || name == "anchor" || name == "strongroom.toml" || name == target;
    if (!ours) names.insert(name);
  }
  return names;
}

Filter All() {
  Filter filter;
  filter.limit = 1'000'000;
  return filter;
}

bool Has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::size_t Count(const std::set<std::string>& files, std::string_view prefix, bool partial) {
  return static_cast<std::size_t>(std::ranges::count_if(files, [&](const std::string& file) {
    return file.starts_with(prefix) && (file.find(".p/") != std::string::npos) == partial;
  }));
}

}  // namespace

TEST_CASE("export jsonl: each line is its leaf's bytes, from seq 0") {
  const Published published(1200);
  const auto entries = published.trail.Search(All());
  const Ran ran = RunShell(published.Run("export --format jsonl"));
  REQUIRE(ran.status == 0);
  const auto lines = LinesOf(ran.out);
  REQUIRE(lines.size() == 1200);
  for (std::size_t i = 0; i < lines.size(); ++i) REQUIRE(lines[i] == entries[i].bytes);
  CHECK(ran.out.back() == '\n');

  const std::string file = (published.trail.directory() / "out").string();
  CHECK(RunShell(published.Run("export --format jsonl --out " + file)).status == 0);
  CHECK(ReadWhole(file) == ran.out);
  struct stat facts{};
  REQUIRE(stat(file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);

  const auto some = LinesOf(RunShell(published.Run("export --format jsonl --from 5 --to 7")).out);
  CHECK(some == std::vector<std::string>(lines.begin() + 5, lines.begin() + 8));
  CHECK(LinesOf(RunShell(published.Run("export --format jsonl --from 1199")).out).size() == 1);
}

TEST_CASE("export jsonl: what is not there is refused, and nothing is left behind") {
  const Published published(20);
  const std::string file = (published.trail.directory() / "out").string();
  CHECK(RunShell(published.Run("export --format jsonl --from 20")).status == 1);
  CHECK(RunShell(published.Run("export --format jsonl --to 20")).status == 1);
  REQUIRE(published.trail.Open()->Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 7"));
  const Ran ran = RunShell(published.Run("export --format jsonl --out " + file));
  CHECK(ran.status == 1);
  CHECK(Has(ran.complaints, "a record is missing: run auditlog verify (7)"));
  CHECK(LeftBehind(published.trail, "").empty());
  CHECK(RunShell(published.Run("export --format jsonl --from 8 --out " + file)).status == 0);
}

TEST_CASE("export: a file that cannot be written is refused in the system's words, and nothing is left behind") {
  const Published published(300);
  const std::filesystem::path home = published.trail.directory();
  const auto refused = [&](const std::string& options, const std::string& before = "") {
    const Ran ran = RunShell(published.Run("export " + options), before);
    INFO(options << ": " << ran.complaints);
    CHECK(ran.status == 1);
    CHECK(LeftBehind(published.trail, "taken").empty());
    return ran.complaints;
  };
  CHECK(Has(refused("--format jsonl --out " + (home / "nowhere" / "out").string()), "No such file or directory"));
  CHECK(Has(refused("--format jsonl >/dev/full"), "No space left on device"));
  std::filesystem::create_directory(home / "taken");
  CHECK(Has(refused("--format jsonl --out " + (home / "taken").string()), "no regular file"));
  CHECK(Has(refused("--format jsonl --out /dev/null"), "no regular file"));
  // A limit on the size of files stands in for a disk that is full.
  const std::string small = "trap '' XFSZ; ulimit -f 80; ";
  for (const std::string format : {"jsonl", "bundle"}) {
    CHECK(Has(refused("--format " + format + " --out " + (home / "out").string(), small), "File too large"));
  }
  std::ofstream(home / "taken" / "file") << "x";
  for (const std::string format : {"tiles", "bundle"}) {
    CHECK(Has(refused("--format " + format + " --out " + (home / "taken").string()), "not empty"));
    CHECK(Has(refused("--format " + format + " --out " + (home / "taken" / "file").string()), "no directory"));
    CHECK(Has(refused("--format " + format + " --out " + (home / "nowhere" / "out").string()), "No such file or directory"));
  }
}

TEST_CASE("export: one that is interrupted takes away what it began") {
  const Published published(70'000);
  const std::filesystem::path home = published.trail.directory();
  for (const std::string format : {"jsonl", "bundle"}) {
    const std::string out = (home / "out").string();
    // The signal comes once the temporary is there: the shell looks for it. On a busy machine it may come too late.
    const Ran ran = RunShell(published.Run("export --format " + format + " --out " + out) +
                             " 2>/dev/null & p=$!; until ls -d " + out + ".* >/dev/null 2>&1 || ! kill -0 $p 2>/dev/null; do :; done; "
                             "kill -TERM $p 2>/dev/null; wait $p; exit $?");
    CHECK(ran.status == (std::filesystem::exists(out) ? 0 : 1));
    CHECK(LeftBehind(published.trail, "out").empty());
    std::filesystem::remove_all(out);
  }
}

TEST_CASE("export: what makes no sense is 2") {
  const Published published(1);
  for (const std::string options : {"", "--format xml", "--format tiles", "--format bundle", "--format jsonl --since 1h",
                                    "--format jsonl --checkpoint x", "--format tiles --out x --from 1", "--format jsonl --from -1"}) {
    INFO(options);
    CHECK(RunShell(published.Run("export " + options)).status == 2);
  }
  CHECK(RunShell("export --help").status == 0);
}

// C2SP tlog-tiles: the path of index 1234067, and the tiles of a tree of 70,000 and of 256.
TEST_CASE("export tiles: paths and tiles are those of the specification") {
  CHECK(TilePath("0", 1234067, 256) == "tile/0/x001/x234/067");
  CHECK(TilePath("2", 0, 1) == "tile/2/000.p/1");
  CHECK(TilePath("entries", 1000, 255) == "tile/entries/x001/000.p/255");
  const Published large(70'000);
  const std::filesystem::path out = large.trail.directory() / "out";
  std::filesystem::create_directory(out);  // an empty one is as good as none
  REQUIRE(RunShell(large.Run("export --format tiles --out " + out.string())).status == 0);
  const auto files = FilesIn(out);
  CHECK(Count(files, "tile/0/", false) == 273);
  CHECK(files.contains("tile/0/273.p/112"));
  CHECK(files.contains("tile/1/000"));
  CHECK(files.contains("tile/1/001.p/17"));
  CHECK(files.contains("tile/2/000.p/1"));
  CHECK(files.size() == 273 + 1 + 1 + 1 + 1 + 1);  // and the checkpoint
  CHECK(std::filesystem::file_size(out / "tile/0/000") == 8192);
  CHECK(std::filesystem::file_size(out / "tile/1/001.p/17") == 17 * 32);
  const Published small(256);
  REQUIRE(RunShell(small.Run("export --format tiles --out " + (small.trail.directory() / "out").string())).status == 0);
  CHECK(FilesIn(small.trail.directory() / "out") == std::set<std::string>{"checkpoint", "tile/0/000", "tile/1/000.p/1"});
}

TEST_CASE("export bundle: with nothing else, records, tiles and checkpoint prove each other") {
  const Published published(600);
  const std::filesystem::path out = published.trail.directory() / "out";
  REQUIRE(RunShell(published.Run("export --format bundle --out " + out.string())).status == 0);
  CHECK(FilesIn(out) == std::set<std::string>{"checkpoint", "vkey", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2",
                                              "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"});
  const auto key = VerifierKey::Parse(LinesOf(ReadWhole(out / "vkey")).at(0));
  const auto note = Note::Parse(ReadWhole(out / "checkpoint"));
  REQUIRE(key);
  REQUIRE(note);
  CHECK(CheckSignature(*note, *key) == Signed::kYes);
  CHECK(key->name == published.key.name);
  Edge edge;
  std::vector<std::string> records;
  std::string roots;  // of the full tiles
  for (const std::string name : {"000", "001", "002.p/88"}) {
    const std::string bundle = ReadWhole(out / "tile/entries" / name);
    std::string hashes;
    for (std::size_t at = 0; at < bundle.size();) {
      const std::size_t size = static_cast<unsigned char>(bundle[at]) * 256U + static_cast<unsigned char>(bundle[at + 1]);
      records.push_back(bundle.substr(at + 2, size));
      const Hash leaf = HashLeaf(records.back());
      hashes += base::AsText(leaf);
      edge.Append(leaf);
      at += 2 + size;
    }
    CHECK(ReadWhole(out / "tile/0" / name) == hashes);
    if (name.size() == 3) {
      Edge tile;
      for (std::size_t i = 0; i < 256; ++i) tile.Append(HashLeaf(records[records.size() - 256 + i]));
      roots += base::AsText(tile.Root());
    }
  }
  CHECK(ReadWhole(out / "tile/1/000.p/2") == roots);
  CHECK(Checkpoint::Parse(note->text)->head == edge.head());
  CHECK(LinesOf(RunShell(published.Run("export --format jsonl")).out) == records);
}

TEST_CASE("export tiles and bundle: refused where outsiders could not believe it") {
  const Published published(300);
  const std::string out = (published.trail.directory() / "out").string();
  const auto refused = [&](std::string_view why) {
    for (const std::string format : {"tiles", "bundle"}) {
      const Ran ran = RunShell(published.Run("export --format " + format + " --out " + out));
      INFO(ran.complaints);
      CHECK(ran.status == 1);
      CHECK(Has(ran.complaints, why));
      CHECK(LeftBehind(published.trail, "").empty());
    }
  };
  SECTION("the checkpoint is not signed") {
    published.Anchor(false);
    refused("keytool unseal");
  }
  SECTION("it is signed by another key") {
    REQUIRE(published.trail.Open()->Execute("UPDATE VAULT SET TRAIL_PUBLIC_KEY = ?1", {ByteView(Bytes(32, 7))}));
    refused("not signed by this vault");
  }
  SECTION("there is none") {
    std::filesystem::remove(published.trail.directory() / "anchor");
    refused("there is no anchor");
  }
  SECTION("the trail was cut") {
    REQUIRE(published.trail.Open()->Execute("DELETE FROM AUDIT_LOG WHERE SEQ = 299"));
    refused("the checkpoint is of no log here");
  }
  SECTION("a record was changed, and the tiles are as they were") {
    REQUIRE(published.trail.Open()->Execute("UPDATE AUDIT_LOG SET RECORD = x'7b7d' WHERE SEQ = 9"));
    refused("not those that the checkpoint was made of");
  }
  SECTION("a checkpoint elsewhere will do") {
    const std::string note = (published.trail.directory() / "strongroom.toml.checkpoint").string();
    std::filesystem::rename(published.trail.directory() / "anchor", note);
    CHECK(RunShell(published.Run("export --format bundle --out " + out + " --checkpoint " + note)).status == 0);
    std::filesystem::remove(note);
    // So will the one that was exported, with the trail as it was then.
    std::filesystem::rename(out + "/checkpoint", note);
    CHECK(RunShell("export --format bundle --db " + published.trail.file().string() + " --out " + out + "2 --checkpoint " + note).status == 0);
  }
}

}  // namespace strongroom::audit
