// The anchor: what a crash, a disk or a hand can leave in its file, and what is read of it then.
#include "audit/anchor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/audit/signer.h"
#include "tests/audit/trail.h"

namespace strongroom::audit {
namespace {

const std::string kOrigin = "strongroom/test/audit";
constexpr std::size_t kHalf = Anchor::kHalfBytes;

Head At(std::int64_t size) { return {size, HashLeaf(std::to_string(size))}; }

struct AnchorFile {
  AnchorFile() : file((trail.directory() / "anchor").string()) {}
  Trail trail;
  std::string file;
  Signer signer{kOrigin, 3};
  bool can_sign = true;

  std::unique_ptr<Anchor> Open() {
    auto anchor = Anchor::Open(file, [this](std::string_view body) { return can_sign ? signer.Line(body) : std::string(); });
    REQUIRE(anchor);
    return std::move(*anchor);
  }
  std::string Content() const {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& bytes) const { std::ofstream(file, std::ios::binary) << bytes; }
  std::string Half(const std::string& note) const {
    std::string half = note;
    half.resize(kHalf);
    return half;
  }
  std::string Signed(std::int64_t size) const { return Half(signer.Sign(At(size))); }
  std::string Unsigned(std::int64_t size) const { return Half(Checkpoint{kOrigin, At(size)}.Body() + '\n'); }
  Code Refused() const {
    const auto read = Anchor::Read(file);
    REQUIRE_FALSE(read);
    CHECK(Anchor::Open(file, nullptr).error().code() == read.error().code());
    return read.error().code();
  }
  std::int64_t Newest() const {
    const auto read = Anchor::Read(file);
    REQUIRE(read);
    return Checkpoint::Parse(read->text)->head.size;
  }
};

}  // namespace

TEST_CASE("an anchor begins unsigned, for its owner alone, and is made once") {
  AnchorFile place;
  REQUIRE(Anchor::Create(place.file, {kOrigin, Head()}));
  CHECK(Anchor::Create(place.file, {kOrigin, At(7)}).error().code() == Code::kAlreadyExists);
  struct stat facts {};
  REQUIRE(stat(place.file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(place.Content().size() == 2 * kHalf);
  const auto note = Anchor::Read(place.file);
  REQUIRE(note);
  CHECK(note->signatures.empty());
  CHECK(Checkpoint::Parse(note->text) == Checkpoint{kOrigin, Head()});
}

TEST_CASE("a head that was kept is signed again by whoever signs now, in the other half, and once") {
  AnchorFile place;
  REQUIRE(Anchor::Create(place.file, {kOrigin, Head()}));
  const Signer other(kOrigin, 4);
  bool both = false;
  auto opened = Anchor::Open(place.file, [&](std::string_view body) {
    if (!place.can_sign) return std::string();
    return place.signer.Line(body) + (both ? other.Line(body) : std::string());
  });
  REQUIRE(opened);
  Anchor& anchor = **opened;
  REQUIRE(anchor.Keep(At(1)));
  const std::string before = place.Content();
  REQUIRE(anchor.SignAgain());
  CHECK(place.Content() == before);
  both = true;
  REQUIRE(anchor.Keep(At(1)));  // a head that is signed is not signed anew by itself
  CHECK(place.Content() == before);
  REQUIRE(anchor.SignAgain());
  const auto note = Anchor::Read(place.file);
  REQUIRE(note);
  CHECK(note->signatures.size() == 2);
  CHECK(CheckSignature(*note, other.key()) == Signed::kYes);
  CHECK(anchor.newest_note() == note->Print());
  // What had been there is in its half still.
  CHECK(place.Content().find(place.Signed(1)) != std::string::npos);
  place.can_sign = false;
  REQUIRE(anchor.SignAgain());
  CHECK(Anchor::Read(place.file)->signatures.size() == 2);
}

TEST_CASE("heads go into the halves in turn, and the newest is read") {
  AnchorFile place;
  REQUIRE(Anchor::Create(place.file, {kOrigin, Head()}));
  const auto anchor = place.Open();
  for (std::int64_t size = 1; size <= 6; ++size) {
    REQUIRE(anchor->Keep(At(size)));
    CHECK(anchor->newest() == Checkpoint{kOrigin, At(size)});
    CHECK(place.Newest() == size);
    CHECK(CheckSignature(*Anchor::Read(place.file), place.signer.key()) == Signed::kYes);
    CHECK(anchor->newest_note() == place.signer.Sign(At(size)));
    const std::string half = place.Content().substr(size % 2 == 1 ? kHalf : 0, kHalf);
    CHECK(half == place.Signed(size));
  }
  // Who opens it anew writes over the older half.
  REQUIRE(place.Open()->Keep(At(7)));
  CHECK(place.Content() == place.Signed(6) + place.Signed(7));
}

TEST_CASE("a head that shrinks is not kept") {
  AnchorFile place;
  REQUIRE(Anchor::Create(place.file, {kOrigin, Head()}));
  const auto anchor = place.Open();
  REQUIRE(anchor->Keep(At(9)));
  const std::string before = place.Content();
  REQUIRE(anchor->Keep(At(8)));
  REQUIRE(anchor->Keep(At(9)));
  REQUIRE(anchor->Keep({9, HashLeaf("another tree of nine")}));
  CHECK(place.Content() == before);
  CHECK(anchor->newest().head == At(9));
}

TEST_CASE("an unsigned head is signed when that can be done, and only then") {
  AnchorFile place;
  REQUIRE(Anchor::Create(place.file, {kOrigin, Head()}));
  const auto anchor = place.Open();
  place.can_sign = false;
  REQUIRE(anchor->Keep(At(4)));
  const std::string unsigned_bytes = place.Content();
  REQUIRE(anchor->Keep(At(4)));
  CHECK(place.Content() == unsigned_bytes);
  CHECK(Anchor::Read(place.file)->signatures.empty());
  place.can_sign = true;
  REQUIRE(anchor->Keep({4, HashLeaf("another tree of four")}));
  CHECK(place.Content() == unsigned_bytes);
  REQUIRE(anchor->Keep(At(4)));
  CHECK(CheckSignature(*Anchor::Read(place.file), place.signer.key()) == Signed::kYes);
}

TEST_CASE("of two halves of one size the signed one is read, wherever it stands") {
  AnchorFile place;
  for (const std::string& bytes : {place.Signed(5) + place.Unsigned(5), place.Unsigned(5) + place.Signed(5)}) {
    place.Write(bytes);
    CHECK(Anchor::Read(place.file)->signatures.size() == 1);
  }
  place.Write(place.Unsigned(6) + place.Signed(5));
  CHECK(place.Newest() == 6);
  place.Write(place.Signed(5) + place.Unsigned(6));
  CHECK(place.Newest() == 6);
}

TEST_CASE("a half that was torn or lost leaves the other") {
  AnchorFile place;
  for (const std::size_t kept : {std::size_t{0}, std::size_t{1}, std::size_t{20}, std::size_t{60}, std::size_t{100}, std::size_t{150}}) {
    // The new note's first bytes, and what stood there before it behind them.
    std::string torn = place.Half("");
    torn.replace(0, kept, place.Signed(8), 0, kept);
    place.Write(place.Signed(7) + torn);
    INFO(kept);
    CHECK(place.Newest() == 7);
    place.Write(torn + place.Signed(7));
    CHECK(place.Newest() == 7);
    REQUIRE(place.Open()->Keep(At(9)));
    CHECK(place.Newest() == 9);
  }
  place.Write(std::string(kHalf, 'x') + place.Signed(7));
  CHECK(place.Newest() == 7);
  // A file that ends early: what is not there counts as zeros.
  place.Write(place.Signed(7));
  CHECK(place.Newest() == 7);
  place.Write(place.signer.Sign(At(7)));
  CHECK(place.Newest() == 7);
}

TEST_CASE("an anchor that tells nothing is refused") {
  AnchorFile place;
  CHECK(place.Refused() == Code::kNotFound);
  const std::string garbage[] = {"", std::string(2 * kHalf, '\0'), std::string(2 * kHalf, 'x'), place.Half("o\n1\n") + place.Half("\n\n"),
                                 place.signer.Sign(At(7)).substr(0, 100)};
  for (const std::string& bytes : garbage) {
    place.Write(bytes);
    CHECK(place.Refused() == Code::kCorrupt);
  }
}

TEST_CASE("an anchor whose halves contradict each other is refused") {
  AnchorFile place;
  const Signer other("strongroom/other/audit", 3);
  place.Write(place.Signed(7) + place.Half(other.Sign(At(8))));
  CHECK(place.Refused() == Code::kCorrupt);
  // One size, two trees: no writer of ours leaves that.
  place.Write(place.Signed(7) + place.Half(place.signer.Sign({7, HashLeaf("another tree of seven")})));
  CHECK(place.Refused() == Code::kCorrupt);
}

TEST_CASE("a symbolic link is no anchor") {
  AnchorFile place;
  const std::string target = (place.trail.directory() / "elsewhere").string();
  std::ofstream(target, std::ios::binary) << place.Signed(7) << place.Signed(8);
  REQUIRE(symlink(target.c_str(), place.file.c_str()) == 0);
  CHECK_FALSE(Anchor::Read(place.file));
  CHECK_FALSE(Anchor::Open(place.file, nullptr));
}

TEST_CASE("two anchors of one file: each keeps what it has written as the newest") {
  AnchorFile place;
  REQUIRE(Anchor::Create(place.file, {kOrigin, Head()}));
  const auto anchor = place.Open();
  REQUIRE(anchor->Keep(At(1)));
  const auto later = place.Open();
  CHECK(later->newest().head == At(1));
  CHECK(later->newest_note() == anchor->newest_note());
}

}  // namespace strongroom::audit
