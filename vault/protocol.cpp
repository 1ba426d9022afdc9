#include "vault/protocol.h"

#include <concepts>
#include <type_traits>

#include "vault/key_trail.h"
#include "vault/ticket_protocol.h"

namespace strongroom::vault {
namespace {

using base::ByteReader;
using base::ByteWriter;

// Writing and Reading walk the same list of fields (Walk, below), so that the two directions cannot drift apart.
class Writing {
 public:
  explicit Writing(ByteWriter& writer) : writer_(writer) {}
  template <typename... T>
  void operator()(const T&... fields) {
    (One(fields), ...);
  }
  void Many(const std::vector<Rate>& rates);
  void Many(const std::vector<std::string>& texts);

 private:
  void One(const std::string& text) { writer_.Field(text); }
  void One(std::int64_t number) { writer_.I64(number); }
  void One(bool flag) { writer_.U8(flag ? 1 : 0); }
  void One(const ProfileFields& fields);
  template <typename T>
  void One(const std::optional<T>& field) {
    One(field.has_value());
    if (field) One(*field);
  }
  ByteWriter& writer_;
};

class Reading {
 public:
  explicit Reading(ByteReader& reader) : reader_(reader) {}
  template <typename... T>
  void operator()(T&... fields) {
    (One(fields), ...);
  }
  void Many(std::vector<Rate>& rates);
  void Many(std::vector<std::string>& texts);
  Result<void> Finish() const {
    if (bad_) return Fail(Code::kCorrupt, "malformed fields");
    return reader_.Finish();
  }

 private:
  void One(std::string& text) {
    text = reader_.Text();
    if (text.find('\0') != std::string::npos || !base::IsUtf8(text)) bad_ = true;
  }
  void One(std::int64_t& number) { number = reader_.I64(); }
  void One(bool& flag) {
    const std::uint8_t byte = reader_.U8();
    if (byte > 1) bad_ = true;
    flag = byte == 1;
  }
  void One(ProfileFields& fields);
  template <typename T>
  void One(std::optional<T>& field) {
    bool present = false;
    One(present);
    if (present) One(field.emplace());
  }
  ByteReader& reader_;
  bool bad_ = false;
};

// Is<M, T>: M is T or const T, so that one Walk serves both directions.
template <typename M, typename T>
concept Is = std::same_as<std::remove_const_t<M>, T>;

void Walk(auto& walk, Is<Rate> auto& m) {
  walk(m.model, m.provider, m.input_micro_usd, m.output_micro_usd, m.effective_from);
}
void Walk(auto& walk, Is<ResolveRequest> auto& m) { walk(m.request_id, m.attempt, m.customer, m.profile_ref); }
void Walk(auto& walk, Is<ResolveAnswer> auto& m) { walk(m.origin, m.key_ref, m.epoch, m.seq, m.trail_size, m.watched); }
void Walk(auto& walk, Is<ProfileAnswer> auto& m) {
  walk(m.profile_ref, m.customer, m.mode, m.provider, m.model, m.endpoint, m.status);
  walk(m.key_ref, m.system_prompt, m.models_allowed, m.api_version);
  walk(m.default_max_tokens, m.default_temp_tenths, m.rpm, m.tpm, m.quota, m.epoch, m.key_noticed, m.over_quota_until);
}
void Walk(auto& walk, Is<RatesRequest> auto& m) { walk(m.after_model, m.after_provider); }
void Walk(auto& walk, Is<RatesAnswer> auto& m) {
  walk(m.epoch);
  walk.Many(m.rates);
  walk(m.more);
}
void Walk(auto& walk, Is<AddKeyRequest> auto& m) {
  walk(m.customer, m.provider, m.label, m.endpoint, m.reason, m.hosted, m.like);
}
void Walk(auto& walk, Is<ProfileFields> auto& m) {
  walk(m.profile_ref, m.customer, m.profile_name, m.mode, m.provider, m.model, m.endpoint, m.key_ref);
  walk(m.system_prompt, m.models_allowed, m.api_version, m.notes);
  walk(m.default_max_tokens, m.default_temp_tenths, m.rpm, m.tpm, m.quota);
}
void Walk(auto& walk, Is<ActivateKeyRequest> auto& m) { walk(m.key_ref, m.reason, m.probed, m.profile); }
void Walk(auto& walk, Is<RotateKeyRequest> auto& m) {
  walk(m.old_key_ref, m.new_key_ref, m.reason, m.grace, m.probed);
}
void Walk(auto& walk, Is<MoveRequest> auto& m) { walk(m.ref, m.move, m.reason); }
void Walk(auto& walk, Is<ReportCallRequest> auto& m) { walk(m.key_ref, m.request_id, m.status, m.customer, m.attempt); }
void Walk(auto& walk, Is<ReportCallAnswer> auto& m) { walk(m.probe, m.wait_ms); }
void Walk(auto& walk, Is<ReportProbeRequest> auto& m) { walk(m.key_ref, m.status); }
void Walk(auto& walk, Is<LimitKeyRequest> auto& m) { walk(m.key_ref, m.rpm, m.tpm, m.reason); }
void Walk(auto& walk, Is<ReportQuotaRequest> auto& m) { walk(m.profile_ref, m.request_id, m.month, m.tokens); }
void Walk(auto& walk, Is<SetProfileRequest> auto& m) { walk(m.fields, m.reason); }
void Walk(auto& walk, Is<SetRateRequest> auto& m) {
  Walk(walk, m.rate);
  walk(m.reason);
}
void Walk(auto& walk, Is<KekRequest> auto& m) { walk(m.version, m.reason); }
void Walk(auto& walk, Is<ProtectorRequest> auto& m) { walk(m.protector, m.with, m.reason); }
void Walk(auto& walk, Is<RewrapRequest> auto& m) { walk(m.run, m.after, m.reason); }
void Walk(auto& walk, Is<RewrapAnswer> auto& m) { walk(m.rewrapped, m.unopened, m.first_unopened, m.next); }
void Walk(auto& walk, Is<PutRecoveryRequest> auto& m) {
  walk(m.public_key, m.threshold);
  walk.Many(m.digests);
  walk(m.custodians, m.reason);
}
void Walk(auto& walk, Is<NoteRecoveryRequest> auto& m) { walk(m.act, m.facts, m.reason); }
void Walk(auto& walk, Is<ProposeRequest> auto& m) { walk(m.operation, m.body); }
void Walk(auto& walk, Is<VerdictRequest> auto& m) { walk(m.approval_id, m.reason); }
void Walk(auto& walk, Is<RequireRequest> auto& m) { walk(m.on, m.reason); }
void Walk(auto& walk, Is<ListRequest> auto& m) { walk(m.customer, m.status, m.after); }
void Walk(auto& walk, Is<ListAnswer> auto& m) {
  walk.Many(m.rows);
  walk(m.next);
}
void Walk(auto& walk, Is<NodeRequest> auto& m) { walk(m.node_id, m.reason); }
void Walk(auto& walk, Is<ConfirmNodeRequest> auto& m) { walk(m.node_id, m.phrase, m.reason); }
void Walk(auto& walk, Is<IssueTicketRequest> auto& m) { walk(m.customer, m.provider, m.endpoint, m.rotates, m.reason); }
void Walk(auto& walk, Is<AcceptTicketRequest> auto& m) { walk(m.blob, m.customer, m.label, m.hosted, m.go_on, m.reason); }
void Walk(auto& walk, Is<TicketRequest> auto& m) { walk(m.ticket_id, m.reason); }
void Walk(auto& walk, Is<StoppedAnswer> auto& m) {
  walk(m.took);
  walk.Many(m.unheard);
}
void Walk(auto& walk, Is<ReadKeyTrailRequest> auto& m) { walk(m.key_ref, m.what, m.since, m.after_at, m.after_seq, m.checkpoint); }
void Walk(auto& walk, Is<ReadKeyTrailAnswer> auto& m) {
  walk.Many(m.rows);
  walk(m.more, m.after_at, m.after_seq, m.held_from);
}
void Walk(auto& walk, Is<ProbeAnswer> auto& m) { walk(m.key_ref, m.provider, m.origin, m.seq); }

void Writing::One(const ProfileFields& fields) { Walk(*this, fields); }
void Reading::One(ProfileFields& fields) { Walk(*this, fields); }

void Writing::Many(const std::vector<Rate>& rates) {
  CHECK(rates.size() <= UINT32_MAX);
  writer_.U32(static_cast<std::uint32_t>(rates.size()));
  for (const Rate& rate : rates) Walk(*this, rate);
}

void Reading::Many(std::vector<Rate>& rates) {
  // The count is the sender's claim: nothing is reserved by it, and reading ends with the bytes.
  const std::uint32_t count = reader_.U32();
  for (std::uint32_t i = 0; i < count && !bad_; ++i) {
    Rate rate;
    Walk(*this, rate);
    if (rate.model.empty()) bad_ = true;  // also what a reader past its end yields
    rates.push_back(std::move(rate));
  }
}

void Writing::Many(const std::vector<std::string>& texts) {
  CHECK(texts.size() <= UINT32_MAX);
  writer_.U32(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) One(text);
}

void Reading::Many(std::vector<std::string>& texts) {
  const std::uint32_t count = reader_.U32();
  for (std::uint32_t i = 0; i < count && !bad_; ++i) {
    One(texts.emplace_back());
    if (texts.back().empty()) bad_ = true;  // as above
  }
}

template <typename T>
Bytes EncodeFields(const T& message) {
  ByteWriter writer;
  Writing walk(writer);
  Walk(walk, message);
  return writer.Take();
}

template <typename T>
Result<T> DecodeFields(ByteView body) {
  ByteReader reader(body);
  Reading walk(reader);
  T message;
  Walk(walk, message);
  TRY(walk.Finish());
  return message;
}

}  // namespace

std::array<std::uint8_t, kFrameHeaderBytes> EncodeHeader(const FrameHeader& header) {
  std::array<std::uint8_t, kFrameHeaderBytes> bytes{};
  std::size_t at = 0;
  const auto put = [&](std::uint64_t value, int width) {
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) bytes[at++] = static_cast<std::uint8_t>(value >> shift);
  };
  put(header.body_length, 4);
  put(header.secret_length, 2);
  put(kProtocolVersion, 1);
  put(header.kind, 1);
  put(header.call, 8);
  return bytes;
}

Result<FrameHeader> DecodeHeader(ByteView bytes) {
  ByteReader reader(bytes);
  FrameHeader header;
  header.body_length = reader.U32();
  header.secret_length = reader.U16();
  const std::uint8_t version = reader.U8();
  header.kind = reader.U8();
  header.call = reader.U64();
  TRY(reader.Finish());
  if (version != kProtocolVersion) return Fail(Code::kCorrupt, "a frame of another protocol version", version);
  if (header.body_length > kMostBodyBytes) return Fail(Code::kCorrupt, "a frame's body is too long", header.body_length);
  if (header.secret_length > kMostSecretBytes) {
    return Fail(Code::kCorrupt, "a frame's secret is too long", header.secret_length);
  }
  return header;
}

#define STRONGROOM_CODEC(Type)                                       \
  Bytes Type::Encode() const { return EncodeFields(*this); }         \
  Result<Type> Type::Decode(ByteView body) { return DecodeFields<Type>(body); }
STRONGROOM_CODEC(ResolveRequest)
STRONGROOM_CODEC(ResolveAnswer)
STRONGROOM_CODEC(ProfileAnswer)
STRONGROOM_CODEC(RatesRequest)
STRONGROOM_CODEC(RatesAnswer)
STRONGROOM_CODEC(AddKeyRequest)
STRONGROOM_CODEC(ActivateKeyRequest)
STRONGROOM_CODEC(RotateKeyRequest)
STRONGROOM_CODEC(MoveRequest)
STRONGROOM_CODEC(ReportCallRequest)
STRONGROOM_CODEC(ReportCallAnswer)
STRONGROOM_CODEC(ReportProbeRequest)
STRONGROOM_CODEC(LimitKeyRequest)
STRONGROOM_CODEC(ReportQuotaRequest)
STRONGROOM_CODEC(SetProfileRequest)
STRONGROOM_CODEC(SetRateRequest)
STRONGROOM_CODEC(KekRequest)
STRONGROOM_CODEC(ProtectorRequest)
STRONGROOM_CODEC(RewrapRequest)
STRONGROOM_CODEC(RewrapAnswer)
STRONGROOM_CODEC(PutRecoveryRequest)
STRONGROOM_CODEC(NoteRecoveryRequest)
STRONGROOM_CODEC(ProposeRequest)
STRONGROOM_CODEC(VerdictRequest)
STRONGROOM_CODEC(RequireRequest)
STRONGROOM_CODEC(ListRequest)
STRONGROOM_CODEC(ListAnswer)
STRONGROOM_CODEC(NodeRequest)
STRONGROOM_CODEC(ConfirmNodeRequest)
STRONGROOM_CODEC(IssueTicketRequest)
STRONGROOM_CODEC(AcceptTicketRequest)
STRONGROOM_CODEC(TicketRequest)
STRONGROOM_CODEC(StoppedAnswer)
STRONGROOM_CODEC(ReadKeyTrailRequest)
STRONGROOM_CODEC(ReadKeyTrailAnswer)
STRONGROOM_CODEC(ProbeAnswer)
#undef STRONGROOM_CODEC

Bytes EncodeText(std::string_view text) { return ByteWriter().Field(text).Take(); }

Result<std::string> DecodeText(ByteView body) {
  ByteReader reader(body);
  Reading walk(reader);
  std::string text;
  walk(text);
  TRY(walk.Finish());
  return text;
}

Bytes EncodeNumber(std::int64_t number) { return ByteWriter().I64(number).Take(); }

Result<std::int64_t> DecodeNumber(ByteView body) {
  ByteReader reader(body);
  const std::int64_t number = reader.I64();
  TRY(reader.Finish());
  return number;
}

}  // namespace strongroom::vault
