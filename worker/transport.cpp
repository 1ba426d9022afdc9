#include "worker/transport.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "worker/transport_attempt.h"
#include "worker/transport_easy.h"
#include "worker/transport_loop.h"

namespace strongroom::worker {

struct Transport::State {
  asio::any_io_executor executor;
  std::shared_ptr<TransferLoop> loop;  // null where the options do not work
  std::optional<Trust> trust;
  std::vector<EasyHandle> idle;
  std::size_t most_idle = 0;
  TransportCounts counts;
};

namespace {

using Sent = std::expected<HttpAnswer, TransportFailure>;

// OriginOf is the origin of a call's URL. Only the part before the path counts, and vault::Origin refuses
// whatever curl could read in another way.
Result<vault::Origin> OriginOf(const std::string& url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos)
    return Fail(Code::kInvalidArgument, "a URL begins with https:// or http://");
  return vault::Origin::OfEndpoint(std::string_view(url).substr(0, url.find('/', scheme_end + 3)));
}

// ArmFor makes the call's splice: null for a call without a key.
std::expected<std::unique_ptr<Splice>, TransportFailure> ArmFor(const HttpCall& call,
                                                                std::optional<KeyToSend> key,
                                                                const vault::Origin& origin) {
  if (key.has_value() != (call.key_header != KeyHeader::kNone))
    return std::unexpected(TransportFailure::kSplice);
  if (!key) return nullptr;
  if (!origin.is_https() || !(key->origin == origin)) return std::unexpected(TransportFailure::kSplice);
  auto splice = Splice::Arm(std::move(key->key), key->origin);
  if (!splice) return std::unexpected(TransportFailure::kSplice);
  return std::move(*splice);
}

// Lease is one curl handle, taken from the idle ones and given back.
template <typename State>
class Lease {
 public:
  explicit Lease(State& state) : state_(state) {
    if (!state_.idle.empty()) {
      easy_ = std::move(state_.idle.back());
      state_.idle.pop_back();
    } else if (Result<EasyHandle> made = MakeEasy()) {
      easy_ = std::move(*made);
    }
  }
  ~Lease() {
    if (easy_ != nullptr && !spoiled_ && state_.idle.size() < state_.most_idle) state_.idle.push_back(std::move(easy_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  void* get() const { return easy_.get(); }
  // Spoil has the handle freed, and so wiped, not given back: it keeps what it read of a head that did not end, or of where a redirect leads, until
  // another call happens to write over it.
  void Spoil() { spoiled_ = true; }

 private:
  State& state_;
  EasyHandle easy_;
  bool spoiled_ = false;
};

// The state is shared: a call may outlive its Transport by as long as its coroutine takes to hear of the end.
template <typename State>
asio::awaitable<Sent> SendOne(std::shared_ptr<State> state, HttpCall call, std::optional<KeyToSend> key,
                              base::Micros deadline) {
  if (state->loop == nullptr) co_return std::unexpected(TransportFailure::kInternal);
  const Result<vault::Origin> origin = OriginOf(call.url);
  if (!origin) co_return std::unexpected(key ? TransportFailure::kSplice : TransportFailure::kInternal);
  const auto splice = ArmFor(call, std::move(key), *origin);
  if (!splice) co_return std::unexpected(splice.error());
  const Aim aim{*origin, state->trust->StoreFor(origin->host())};
  Lease<State> easy(*state);
  if (easy.get() == nullptr) co_return std::unexpected(TransportFailure::kInternal);
  ++state->counts.calls;
  Attempt attempt(state->executor, *state->loop, easy.get(), call, splice->get(), aim);
  Sent answer = co_await attempt.Run(deadline);
  state->counts.new_connections += attempt.new_connections();
  if (!answer || (answer->status >= 300 && answer->status < 400)) easy.Spoil();
  co_return answer;
}

}  // namespace

std::string_view TransportFailureText(TransportFailure failure) {
  switch (failure) {
    case TransportFailure::kConnect:
      return "no verified connection to the provider";
    case TransportFailure::kTimeout:
      return "no answer in time";
    case TransportFailure::kLost:
      return "the connection ended before the answer";
    case TransportFailure::kTooLarge:
      return "the answer is too large";
    case TransportFailure::kSplice:
      return "the key could not be placed safely, nothing was sent";
    case TransportFailure::kInternal:
      break;
  }
  return "the call could not be made";
}

Result<void> CheckTransport(const TransportOptions& options) {
  TRY(Trust::Load(options.ca_file));
  TRY(MakeEasy());
  return {};
}

Transport::Transport(asio::any_io_executor executor, TransportOptions options)
    : state_(std::make_shared<State>()) {
  state_->executor = executor;
  state_->most_idle = options.connections;
  Result<Trust> trust = Trust::Load(options.ca_file);
  // The first handle starts libcurl, before anything else of it is used.
  Result<EasyHandle> first = MakeEasy();
  if (!trust || !first) return;
  Result<std::shared_ptr<TransferLoop>> loop = TransferLoop::Make(executor, options.connections);
  if (!loop) return;
  state_->trust = std::move(*trust);
  state_->idle.push_back(std::move(*first));
  state_->loop = std::move(*loop);
}

Transport::~Transport() {
  if (state_->loop != nullptr) state_->loop->Close();
}

asio::awaitable<std::expected<HttpAnswer, TransportFailure>> Transport::Send(HttpCall call,
                                                                             std::optional<KeyToSend> key,
                                                                             base::Micros deadline) {
  return SendOne(state_, std::move(call), std::move(key), deadline);
}

void Transport::Rest(base::Micros after) {
  if (state_->loop != nullptr && state_->loop->Rest(after)) state_->idle.clear();
}

TransportCounts Transport::counts() const {
  return state_->counts;
}

}  // namespace strongroom::worker
