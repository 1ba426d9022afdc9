// A trail in the layout of C2SP's tlog-tiles.md (CC-BY-4.0), verified without a database; its names and its example of 70,000 records
// are the document's.
#include "audit/bundle.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/audit/signed_trail.h"

namespace strongroom::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRecords = 600;  // two full tiles and 88

// Exported is a bundle of a trail as the document has it, written without the code that reads it.
struct Exported {
  explicit Exported(const SignedTrail& trail) : trail_(trail), directory(trail.home() + "/bundle") {
    fs::create_directories(directory);
    std::string leaves, entries;
    std::string tops;
    Edge tile;
    for (std::int64_t seq = 0; seq < kRecords; ++seq) {
      const std::string record = trail.Record(seq);
      const Hash leaf = HashLeaf(record);
      entries += static_cast<char>(record.size() >> 8);
      entries += static_cast<char>(record.size() & 0xff);
      entries += record;
      leaves += base::AsText(leaf);
      tile.Append(leaf);
      if (tile.size() < 256) continue;
      const std::string name = seq < 256 ? "000" : "001";
      Put("tile/0/" + name, leaves);
      Put("tile/entries/" + name, entries);
      tops += base::AsText(tile.Root());
      leaves = entries = "";
      tile = Edge();
    }
    Put("tile/0/002.p/88", leaves);
    Put("tile/entries/002.p/88", entries);
    Put("tile/1/000.p/2", tops);
    Put("checkpoint", trail.signer().Sign(trail.HeadAt(kRecords)));
    Put("vkey", trail.vkey() + '\n');
  }
  void Put(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(directory + '/' + name).parent_path());
    std::ofstream(directory + '/' + name, std::ios::binary) << content;
  }
  std::string Get(const std::string& name) const { return trail_.Read(directory + '/' + name); }
  void Flip(const std::string& name, std::size_t at) const {
    std::string content = Get(name);
    content.at(at) ^= 1;
    Put(name, content);
  }
  void Expect(int status, const std::string& part, const std::string& arguments = "") const {
    const Run run = Auditlog("verify --json --bundle " + directory + " " + arguments);
    INFO(run.out);
    CHECK(run.status == status);
    CHECK(run.Has(part));
  }
  void Bad(std::int64_t seq, const std::string& kind) const {
    Expect(1, "\"first_bad_seq\":" + std::to_string(seq) + ",\"kind\":\"" + kind + "\"");
  }

  const SignedTrail& trail_;
  const std::string directory;
};

}  // namespace

TEST_CASE("a tile's path is the published one") {
  CHECK(TilePath("0", 1234067, 256) == "tile/0/x001/x234/067");
  CHECK(TilePath("entries", 0, 256) == "tile/entries/000");
  CHECK(TilePath("0", 273, 112) == "tile/0/273.p/112");
  CHECK(TilePath("2", 0, 1) == "tile/2/000.p/1");
  CHECK(TilePath("1", 999, 256) == "tile/1/999");
  CHECK(TilePath("1", 1000, 17) == "tile/1/x001/000.p/17");
}

TEST_CASE("bundle: what was exported is verified without a database") {
  const SignedTrail trail(kRecords);
  const Exported bundle(trail);
  bundle.Expect(0, "\"verdict\":\"verified\",\"records\":600");
  bundle.Expect(0, "\"verdict\":\"verified\"", "--vkey " + trail.vkey());
  bundle.Expect(0, "\"size\":300", trail.Checkpoint(300));
  bundle.Expect(1, "\"kind\":\"signature\"", "--vkey " + Signer(trail.signer().key().name, 2).key().Print());
  const Run text = Auditlog("verify --bundle " + bundle.directory);
  CHECK(text.Has("the bundle's own: compare it with one that was noted"));
  // A full tile may stand in a partial one's place, as the document has it.
  bundle.Put("tile/1/000", bundle.Get("tile/1/000.p/2") + std::string(254 * 32, 'x'));
  fs::remove(bundle.directory + "/tile/1/000.p/2");
  bundle.Put("tile/entries/002", bundle.Get("tile/entries/002.p/88") + std::string("\0\3abc", 5));
  fs::remove(bundle.directory + "/tile/entries/002.p/88");
  bundle.Expect(0, "\"verdict\":\"verified\"");
}

TEST_CASE("bundle: each file that was changed, dropped or cut is named") {
  const SignedTrail trail(kRecords);
  const Exported bundle(trail);
  const std::string entries = bundle.Get("tile/entries/002.p/88");
  SECTION("a record") { bundle.Flip("tile/entries/001", 100); bundle.Bad(256, "changed"); }
  SECTION("the last record") { bundle.Flip("tile/entries/002.p/88", entries.size() - 3); bundle.Bad(599, "changed"); }
  SECTION("a length") { bundle.Flip("tile/entries/000", 1); bundle.Bad(0, "changed"); }
  SECTION("an entry bundle in the middle") { fs::remove(bundle.directory + "/tile/entries/001"); bundle.Bad(256, "missing"); }
  SECTION("the last entry bundle") { fs::remove(bundle.directory + "/tile/entries/002.p/88"); bundle.Bad(512, "truncated"); }
  SECTION("an entry bundle that ends early") { bundle.Put("tile/entries/002.p/88", entries.substr(0, entries.size() - 1)); bundle.Bad(599, "changed"); }
  SECTION("an empty entry bundle") { bundle.Put("tile/entries/002.p/88", ""); bundle.Bad(512, "truncated"); }
  SECTION("bytes behind the entries of a full bundle") { bundle.Put("tile/entries/000", bundle.Get("tile/entries/000") + "xyz"); bundle.Bad(255, "changed"); }
  SECTION("one entry more than the file's name tells") {
    bundle.Put("tile/entries/002.p/88", entries + std::string("\0\3abc", 5));
    bundle.Bad(599, "changed");
  }
  SECTION("a hash more than the file's name tells") {
    bundle.Put("tile/0/002.p/88", bundle.Get("tile/0/002.p/88") + std::string(32, 'x'));
    bundle.Bad(599, "index_mismatch");
  }
  SECTION("a byte behind the entries of a bundle that is not full") {
    bundle.Put("tile/entries/002.p/88", entries + "x");
    bundle.Bad(599, "changed");
  }
  SECTION("bytes behind the hashes of a tile that is not full") {
    bundle.Put("tile/0/002.p/88", bundle.Get("tile/0/002.p/88") + "xyz");
    bundle.Bad(599, "index_mismatch");
  }
  SECTION("a hash") { bundle.Flip("tile/0/001", 64); bundle.Bad(258, "index_mismatch"); }
  SECTION("a hash of a tile that is not full") { bundle.Flip("tile/0/002.p/88", 32 * 87); bundle.Bad(599, "index_mismatch"); }
  SECTION("a hash above") { bundle.Flip("tile/1/000.p/2", 33); bundle.Bad(256, "index_mismatch"); }
  SECTION("a tile dropped") { fs::remove(bundle.directory + "/tile/0/000"); bundle.Bad(0, "index_mismatch"); }
  SECTION("a tile above dropped") { fs::remove(bundle.directory + "/tile/1/000.p/2"); bundle.Bad(0, "index_mismatch"); }
  SECTION("another trail's checkpoint, under the same key") {
    Head other = trail.HeadAt(kRecords);
    other.root[0] ^= 1;
    bundle.Put("checkpoint", trail.signer().Sign(other));
    bundle.Bad(0, "fork");
  }
  SECTION("a forged checkpoint") {
    const std::string body = Checkpoint{trail.signer().key().name, trail.HeadAt(kRecords)}.Body();
    bundle.Put("checkpoint", body + '\n' + trail.signer().Line("another text\n"));
    bundle.Bad(0, "signature");
  }
}

TEST_CASE("bundle: what is none cannot be checked") {
  const SignedTrail trail(kRecords);
  const Exported bundle(trail);
  SECTION("no checkpoint") { fs::remove(bundle.directory + "/checkpoint"); }
  SECTION("a checkpoint that is none") { bundle.Put("checkpoint", "rubbish"); }
  SECTION("no key") { fs::remove(bundle.directory + "/vkey"); }
  SECTION("a key that is none") { bundle.Put("vkey", "rubbish"); }
  bundle.Expect(2, "\"verdict\":\"unchecked\"");
}

TEST_CASE("bundle: its checkpoint is looked at before anything that it claims") {
  const SignedTrail trail(kRecords);
  const Exported bundle(trail);
  const auto claim_more = [&](std::string text) {
    const std::size_t begin = text.find('\n') + 1;
    return text.replace(begin, text.find('\n', begin) - begin, "9007199254740991");
  };
  SECTION("a size beyond all that is there") {
    bundle.Put("checkpoint", claim_more(bundle.Get("checkpoint")));
    bundle.Expect(1, "\"verdict\":\"tampered\",\"records\":0");
    bundle.Bad(0, "signature");
  }
  SECTION("another's signature, over records that are not read then") {
    const std::string other = "--vkey " + Signer(trail.signer().key().name, 2).key().Print();
    fs::remove_all(bundle.directory + "/tile");
    bundle.Expect(1, "\"first_bad_seq\":0,\"kind\":\"signature\"", other);
    CHECK(Auditlog("verify --bundle " + bundle.directory + " " + other).Has("next "));
  }
}

TEST_CASE("bundle: a pipe, a device or a huge file in a file's place keep nobody") {
  const SignedTrail trail(kRecords);
  const Exported bundle(trail);
  const auto put_pipe = [&](const std::string& name) {
    fs::remove(bundle.directory + '/' + name);
    REQUIRE(mkfifo((bundle.directory + '/' + name).c_str(), 0600) == 0);
  };
  SECTION("the checkpoint") { put_pipe("checkpoint"); }
  SECTION("the key") { put_pipe("vkey"); }
  SECTION("entries") { put_pipe("tile/entries/001"); }
  SECTION("hashes") { put_pipe("tile/0/001"); }
  SECTION("a device") {
    fs::remove(bundle.directory + "/vkey");
    fs::create_symlink("/dev/zero", bundle.directory + "/vkey");
  }
  SECTION("a huge file") { fs::resize_file(bundle.directory + "/tile/entries/001", std::uintmax_t{1} << 33); }
  bundle.Expect(2, "\"verdict\":\"unchecked\"");
}

}  // namespace strongroom::audit
