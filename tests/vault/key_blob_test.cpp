#include "vault/key_blob.h"

#include <catch2/catch.hpp>

#include "secret_probe.h"
#include "sealed_keys_vectors.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kKey = "sk-ant-acme-0123456789abcdef";

struct Asked {
  Asked() : pair(SealedBox::Generate().value()) {
    ticket = Ticket::Parse(SealedKeyVectors().at(0).ticket).value();
    ticket.public_key = pair.public_key;
  }
  Result<SecretValue> Open(const KeyBlob& blob) const { return blob.Open(ticket, pair.private_key.View()); }
  bool Refuses(const KeyBlob& blob) const {
    const auto opened = Open(blob);
    return !opened && opened.error().code() == Code::kDecryptFailed;
  }
  SealedBox::KeyPair pair;
  Ticket ticket;
};

std::string TextOf(const SecretValue& secret) { return std::string(base::AsText(SecretProbe::Copy(secret.View()))); }
KeyBlob SealTo(const Ticket& ticket, std::string_view key = kKey) { return KeyBlob::Seal(ticket, SecretProbe::Of(key).View()).value(); }

TEST_CASE("keys that an independent program sealed open", "[key_blob]") {
  for (const SealedKeyVector& one : SealedKeyVectors()) {
    const Ticket ticket = Ticket::Parse(one.ticket).value();
    const KeyBlob blob = KeyBlob::Parse(one.blob).value();
    CHECK(blob.Print() == one.blob);
    CHECK(blob.ticket_id == ticket.ticket_id);
    CHECK(TextOf(blob.Open(ticket, SecretProbe::Of(one.private_key).View()).value()) == one.key);
  }
}

TEST_CASE("what is sealed to a ticket opens with its private key, after any mail program", "[key_blob]") {
  const Asked asked;
  for (const std::string& key : {std::string(kKey), std::string(1, 'k'), std::string(2000, 'k')}) {
    const std::string text = SealTo(asked.ticket, key).Print();
    CHECK(text.find(key.substr(0, 20)) == (key.size() == 1 ? text.find('k') : std::string::npos));
    std::string crlf = "\n";
    for (const char c : text) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
    CHECK(TextOf(asked.Open(KeyBlob::Parse(text).value()).value()) == key);
    CHECK(TextOf(asked.Open(KeyBlob::Parse(crlf).value()).value()) == key);
  }
  CHECK(SealTo(asked.ticket).box != SealTo(asked.ticket).box);
  CHECK_FALSE(KeyBlob::Seal(asked.ticket, SecretProbe::Of(std::string(2016, 'k')).View()).has_value());
}

TEST_CASE("a box with any bit changed or any byte gone is refused as any other", "[key_blob]") {
  const Asked asked;
  const KeyBlob blob = SealTo(asked.ticket);
  for (std::size_t bit = 0; bit < blob.box.size() * 8; ++bit) {
    KeyBlob changed = blob;
    changed.box[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    CHECK(asked.Refuses(changed));
  }
  for (std::size_t size = 0; size < blob.box.size(); ++size) {
    KeyBlob cut = blob;
    cut.box.resize(size);
    CHECK(asked.Refuses(cut));
  }
}

TEST_CASE("a box for another ticket is refused, whatever differs in it", "[key_blob]") {
  const Asked asked, other;
  CHECK(other.Refuses(SealTo(asked.ticket)));
  const auto differs = [&asked](auto Ticket::*field, const auto& value) {
    Ticket ticket = asked.ticket;
    ticket.*field = value;
    return asked.Refuses(SealTo(ticket));
  };
  CHECK(differs(&Ticket::customer, "BARCO"));
  CHECK(differs(&Ticket::provider, "openai"));
  CHECK(differs(&Ticket::origin, "https://evil.example:443"));
  CHECK(differs(&Ticket::rotates, "ACME/anthropic/default/1"));
  CHECK(differs(&Ticket::vault_id, std::string(32, '0')));
  CHECK(differs(&Ticket::ticket_id, std::string(16, '0')));
  CHECK(differs(&Ticket::expires_at, base::Micros{0}));
  // What is in no box of ours: the key alone, or behind another number of the format.
  const SecretValue bare = SecretProbe::Of(std::string(60, 'k'));
  KeyBlob blob = SealTo(asked.ticket);
  blob.box = SealedBox::SealTo(asked.ticket.public_key, bare.View()).value();
  CHECK(asked.Refuses(blob));
  blob.box = SealedBox::SealTo(asked.ticket.public_key, bare.View(), base::ByteWriter().U8(2).Raw(asked.ticket.Digest()).Take()).value();
  CHECK(asked.Refuses(blob));
  blob.box = SealedBox::SealTo(asked.ticket.public_key, SecretProbe::Of("k").View()).value();
  CHECK(asked.Refuses(blob));
}

TEST_CASE("a sealed key's file with any character changed, or cut anywhere, is refused", "[key_blob]") {
  const Asked asked;
  const std::string text = SealTo(asked.ticket).Print();
  const auto refused = [](std::string_view file) {
    const auto blob = KeyBlob::Parse(file);
    return !blob && blob.error().code() == Code::kInvalidArgument;
  };
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK(refused(changed));
    CHECK(refused(text.substr(0, at)));
  }
  CHECK(refused(asked.ticket.Print()));
  CHECK(refused(""));
  // Lines of a box are of 64 characters.
  KeyBlob blob = SealTo(asked.ticket);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{81}, SecretValue::kMostBytes + SealedBox::kOverhead + 1}) {
    blob.box = Bytes(size, 7);
    CHECK(refused(blob.Print()));
  }
  blob.box = Bytes(82, 7);
  CHECK(KeyBlob::Parse(blob.Print()).value() == blob);
}

}  // namespace
}  // namespace strongroom::vault
