#include "vault/phrase.h"

#include <catch2/catch.hpp>
#include <set>

#include "sealed_keys_vectors.h"
#include "vault/key_blob.h"
#include "vault/ticket.h"

namespace strongroom::vault {
namespace {

TEST_CASE("the words of phrases are 7,776 different ones", "[phrase]") {
  const auto words = PhraseWords();
  CHECK(words.front() == "abacus");
  CHECK(words.back() == "zoom");
  CHECK(std::set<std::string_view>(words.begin(), words.end()).size() == 7776);
}

TEST_CASE("phrases are those of an independent program", "[phrase]") {
  const auto vectors = SealedKeyVectors();
  REQUIRE(vectors.size() == 3);
  for (const SealedKeyVector& one : vectors) {
    CHECK(Ticket::Parse(one.ticket).value().Phrase().value() == one.ticket_phrase);
    CHECK(KeyBlob::Parse(one.blob).value().Phrase().value() == one.blob_phrase);
  }
}

TEST_CASE("a phrase is of one text and one kind of text", "[phrase]") {
  const std::string phrase = MakePhrase("a text", "sr-ticket-phrase").value();
  CHECK(std::count(phrase.begin(), phrase.end(), ' ') == 5);
  CHECK(MakePhrase("a text", "sr-ticket-phrase").value() == phrase);
  CHECK(MakePhrase("a texT", "sr-ticket-phrase").value() != phrase);
  CHECK(MakePhrase("a text", "sr-sealed-phrase").value() != phrase);
}

TEST_CASE("a typed phrase may have capitals, dashes and blanks as it likes, and no other letter", "[phrase]") {
  const std::string phrase = "abacus yo-yo zoom felt-tip drop-down zen";
  CHECK(SamePhrase(phrase, phrase));
  CHECK(SamePhrase("  Abacus yoyo ZOOM\tfelt tip drop-down, zen.\n", phrase));
  CHECK_FALSE(SamePhrase("abacus yo-yo zoom felt-tip drop-down", phrase));
  CHECK_FALSE(SamePhrase("abacus yo-yo zoom felt-tip drop-down zens", phrase));
  CHECK_FALSE(SamePhrase("zen yo-yo zoom felt-tip drop-down abacus", phrase));
  CHECK_FALSE(SamePhrase("", phrase));
}

}  // namespace
}  // namespace strongroom::vault
