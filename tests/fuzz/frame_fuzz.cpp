// The frame header and every message of vaultd's socket: what decodes encodes to the same bytes again, and those
// decode. The first byte chooses the message.
#include <algorithm>

#include "base/result.h"
#include "vault/protocol.h"

using namespace strongroom;
using namespace strongroom::vault;

namespace {

template <typename T>
void Message(ByteView bytes) {
  const auto message = T::Decode(bytes);
  if (!message) return;
  const Bytes again = message->Encode();
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
  CHECK(T::Decode(again).has_value());
}

void Header(ByteView bytes) {
  const auto header = DecodeHeader(bytes);
  if (!header) return;
  CHECK(header->body_length <= kMostBodyBytes && header->secret_length <= kMostSecretBytes);
  const auto again = EncodeHeader(*header);
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

void Small(ByteView bytes) {
  if (const auto text = DecodeText(bytes)) {
    const Bytes again = EncodeText(*text);
    CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
  }
  if (const auto epoch = DecodeNumber(bytes)) CHECK(DecodeNumber(EncodeNumber(*epoch)) == *epoch);
  const Error refusal = DecodeRefusal(bytes);
  CHECK(RefusalOf(DecodeRefusal(EncodeRefusal(refusal))) == RefusalOf(refusal));
}

using Check = void (*)(ByteView);
constexpr Check kChecks[] = {Header,
                             Small,
                             Message<ResolveRequest>,
                             Message<ResolveAnswer>,
                             Message<ProfileAnswer>,
                             Message<RatesAnswer>,
                             Message<AddKeyRequest>,
                             Message<ActivateKeyRequest>,
                             Message<RotateKeyRequest>,
                             Message<MoveRequest>,
                             Message<ReportCallRequest>,
                             Message<ReportCallAnswer>,
                             Message<ReportProbeRequest>,
                             Message<SetProfileRequest>,
                             Message<SetRateRequest>,
                             Message<ListRequest>,
                             Message<ProbeAnswer>,
                             Message<ListAnswer>,
                             Message<RatesRequest>,
                             Message<KekRequest>,
                             Message<RewrapRequest>,
                             Message<RewrapAnswer>,
                             Message<PutRecoveryRequest>,
                             Message<NoteRecoveryRequest>,
                             Message<ProtectorRequest>,
                             Message<ProposeRequest>,
                             Message<VerdictRequest>,
                             Message<RequireRequest>,
                             Message<NodeRequest>,
                             Message<StoppedAnswer>,
                             Message<ConfirmNodeRequest>};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) kChecks[data[0] % std::size(kChecks)](ByteView(data + 1, size - 1));
  return 0;
}
