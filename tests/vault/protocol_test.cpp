#include "vault/protocol.h"

#include <set>

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

// Sound checks that a message survives its encoding, and that no shorter, longer or spoilt encoding passes for it.
template <typename T>
void Sound(const T& message) {
  const Bytes bytes = message.Encode();
  const auto again = T::Decode(bytes);
  REQUIRE(again.has_value());
  REQUIRE(again->Encode() == bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) REQUIRE(!T::Decode(ByteView(bytes).first(size)));
  Bytes longer = bytes;
  longer.push_back(0);
  REQUIRE(T::Decode(longer).error().code() == Code::kCorrupt);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Bytes spoilt = bytes;
    spoilt[i] ^= 0x80;
    const auto other = T::Decode(spoilt);
    if (other) REQUIRE(other->Encode() == spoilt);
  }
}

ProfileFields SomeFields() {
  ProfileFields fields;
  fields.profile_ref = "ACME_DEFAULT";
  fields.customer = "ACME";
  fields.system_prompt = "Réponds.\n";
  fields.notes = "";
  fields.rpm = 60;
  fields.quota = INT64_MIN;
  return fields;
}

}  // namespace

TEST_CASE("every message decodes to what was encoded and to nothing else") {
  ResolveRequest resolve;
  resolve.request_id = "r-1";
  resolve.attempt = -5;
  resolve.customer = "ACME";
  resolve.profile_ref = "P";
  Sound(resolve);
  Sound(ResolveAnswer{"https://api.example:443", "ACME/x/y/1", 7, 9, 10});
  ProfileAnswer profile;
  profile.profile_ref = "P";
  profile.key_ref = "ACME/x/y/1";
  profile.default_temp_tenths = 7;
  profile.over_quota_until = 8;
  Sound(profile);
  RatesAnswer rates;
  rates.rates = {Rate{"m", "p", 1, 2, 3}, Rate{"n", "", 4, 5, 6}};
  rates.more = true;
  Sound(rates);
  Sound(RatesRequest{"m", "p"});
  Sound(AddKeyRequest{"ACME", "openai", "default", "https://x", "why", true, ""});
  ActivateKeyRequest activate;
  activate.key_ref = "k";
  Sound(activate);
  activate.profile = SomeFields();
  Sound(activate);
  Sound(RotateKeyRequest{"old", "new", "why", 42, true});
  Sound(MoveRequest{"k", "revoke", "why"});
  Sound(ReportCallRequest{"k", "r", 401, "ACME", 2});
  Sound(ReportCallAnswer{true, 200});
  Sound(ReportProbeRequest{"k", 0});
  Sound(LimitKeyRequest{"k", 1000, {}, "why"});
  Sound(ReportQuotaRequest{"P", "r", 5, 6});
  Sound(SetProfileRequest{SomeFields(), "why"});
  Sound(SetRateRequest{Rate{"m", "p", 1, 2, 3}, "why"});
  Sound(ProposeRequest{15, "00ff"});
  Sound(VerdictRequest{"0123456789ab", "why"});
  Sound(RequireRequest{true, "why"});
  Sound(ListRequest{"ACME", "", "ACME/x/y/1"});
  Sound(ListAnswer{{R"({"key_ref":"ACME/x/y/1"})", "{}"}, "ACME/x/y/1"});
  Sound(ProbeAnswer{"k", "p", "https://x:443", 3});
  Sound(NodeRequest{"00112233445566ff", "why"});
  Sound(ConfirmNodeRequest{"00112233445566ff", "qpzr-y9x8", "why"});
  Sound(StoppedAnswer{5'250'000, {"00112233445566ff (host)"}});
}

TEST_CASE("fields keep their values") {
  const auto back = SetProfileRequest::Decode(SetProfileRequest{SomeFields(), "why"}.Encode());
  REQUIRE(back.has_value());
  REQUIRE(back->fields.system_prompt == "Réponds.\n");
  REQUIRE(back->fields.notes == "");
  REQUIRE(!back->fields.model.has_value());
  REQUIRE(back->fields.quota == INT64_MIN);
  REQUIRE(back->reason == "why");
}

TEST_CASE("text that is no UTF-8 or holds a zero byte is refused, as is a count without its rows") {
  REQUIRE(DecodeText(EncodeText("Grüße")).value() == "Grüße");
  REQUIRE(!DecodeText(EncodeText("a\xff")));
  REQUIRE(!DecodeText(EncodeText(std::string_view("a\0b", 3))));
  REQUIRE(!RatesAnswer::Decode(base::ByteWriter().I64(1).U32(0xffffffff).bytes()));
  REQUIRE(!ListAnswer::Decode(base::ByteWriter().U32(0xffffffff).bytes()));
  REQUIRE(!ListAnswer::Decode(ListAnswer{{""}, ""}.Encode()));
}

TEST_CASE("a header carries its fields and its limits") {
  FrameHeader header;
  header.body_length = kMostBodyBytes;
  header.secret_length = kMostSecretBytes;
  header.kind = 200;
  header.call = 0x0102030405060708;
  auto bytes = EncodeHeader(header);
  REQUIRE(base::Hex(bytes) == "001000000800" "01c8" "0102030405060708");
  const auto back = DecodeHeader(bytes);
  REQUIRE(back.has_value());
  REQUIRE(back->call == header.call);
  REQUIRE(back->kind == 200);
  bytes[3] = 1;
  REQUIRE(DecodeHeader(bytes).error().code() == Code::kCorrupt);
  bytes[3] = 0;
  bytes[5] = 1;
  REQUIRE(!DecodeHeader(bytes));
  bytes[5] = 0;
  bytes[6] = 2;
  REQUIRE(DecodeHeader(bytes).error().number() == 2);
  REQUIRE(!DecodeHeader(ByteView(bytes).first(15)));
}

TEST_CASE("every refusal crosses the socket by its number") {
  std::set<std::string_view> names, texts;
  for (const Refusal refusal : AllRefusals()) {
    const auto number = static_cast<std::uint16_t>(refusal);
    const Error error = RefusalError(refusal);
    REQUIRE(error.refusal() == number);
    REQUIRE(RefusalOf(error) == refusal);
    const Error there = DecodeRefusal(EncodeRefusal(error));
    REQUIRE(there.refusal() == number);
    REQUIRE(there.code() == error.code());
    REQUIRE(there.text() == error.text());
    names.insert(RefusalName(refusal));
    texts.insert(error.text());
    REQUIRE(error.text().find('\n') == std::string_view::npos);
  }
  REQUIRE(names.size() == AllRefusals().size());
  REQUIRE(texts.size() == AllRefusals().size());
  REQUIRE(RefusalName(Refusal::kKeyRevoked) == "KEY_REVOKED");
}

TEST_CASE("a refusal this build does not know is an internal one") {
  for (const Bytes& body : {Bytes{0, 0}, Bytes{0xff, 0xff}, Bytes{}, Bytes{1}, Bytes{0, 1, 0}}) {
    REQUIRE(RefusalOf(DecodeRefusal(body)) == Refusal::kInternal);
  }
  REQUIRE(RefusalOf(Error(Code::kUnavailable, "no row")) == Refusal::kInternal);
}

}  // namespace strongroom::vault
