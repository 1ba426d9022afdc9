#include "worker/transport_attempt.h"

#include <curl/curl.h>
#include <string.h>

#include <algorithm>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

namespace strongroom::worker {
namespace {

constexpr base::Micros kMostConnecting = 10 * base::kMicrosPerSecond;
// curl counts in milliseconds and is told a floor: a timeout this near to the deadline is the deadline's.
constexpr base::Micros kClockSlack = 2 * base::kMicrosPerMilli;
constexpr std::size_t kMostHeaderValue = 200;

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// HeaderValue returns the value of a header line if its name is `name`, which is in lower case and ends in
// ':'.
std::optional<std::string_view> HeaderValue(std::string_view line, std::string_view name) {
  if (line.size() < name.size()) return std::nullopt;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = line[i] >= 'A' && line[i] <= 'Z' ? static_cast<char>(line[i] - 'A' + 'a') : line[i];
    if (c != name[i]) return std::nullopt;
  }
  line.remove_prefix(name.size());
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\n'))
    line.remove_suffix(1);
  return line.substr(0, kMostHeaderValue);
}

// MaskLine takes what a header line says out of curl's buffer, once both have read it: the buffer stays with
// the handle.
void MaskLine(char* line, std::size_t size) {
  std::fill_n(line, std::min(std::string_view(line, size).find_first_of("\r\n"), size), '-');
}

// ForgetHeaders wipes the headers that curl keeps for curl_easy_header, which it does until the handle's next
// transfer. There is no option against it.
void ForgetHeaders(void* easy) {
  constexpr unsigned kAny = CURLH_HEADER | CURLH_TRAILER | CURLH_1XX;
  curl_header* header = nullptr;
  while ((header = curl_easy_nextheader(easy, kAny, -1, header)) != nullptr) {
    explicit_bzero(header->name, strlen(header->name));
    explicit_bzero(header->value, strlen(header->value));
  }
}

void Scrub(std::string& text) {
  explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace

// Signal is how OnEnd wakes the coroutine: a timer that never runs out and is cancelled.
struct Attempt::Signal {
  explicit Signal(const asio::any_io_executor& executor)
      : timer(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer timer;
};

Attempt::Attempt(asio::any_io_executor executor, TransferLoop& loop, void* easy, const HttpCall& call,
                 const Splice* splice, const Aim& aim)
    : loop_(loop),
      easy_(easy),
      call_(call),
      splice_(splice),
      aim_(aim),
      signal_(std::make_unique<Signal>(executor)) {}

Attempt::~Attempt() {
  End();
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));
  curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 0L);
  curl_slist_free_all(headers_);
  // What was not handed on may be a provider's echo of the key.
  Scrub(answer_.body);
}

bool Attempt::AddHeader(const std::string& line) {
  if (!IsPlain(line)) return false;
  curl_slist* const longer = curl_slist_append(headers_, line.c_str());
  if (longer == nullptr) return false;
  headers_ = longer;
  return true;
}

bool Attempt::Prepare() {
  const bool posts = call_.method == "POST";
  if (!posts && call_.method != "GET") return false;
  if (!std::all_of(call_.headers.begin(), call_.headers.end(),
                   [this](const auto& line) { return AddHeader(line); }))
    return false;
  if (!AddHeader("Expect:")) return false;
  if (splice_ != nullptr) {
    const char* const name =
        call_.key_header == KeyHeader::kBearer ? "authorization: Bearer " : "x-api-key: ";
    if (!AddHeader(name + std::string(splice_->placeholder()))) return false;
  }
  const std::size_t path_at = call_.url.find('/', call_.url.find("://") + 3);
  const std::string_view path = std::string_view(call_.url).substr(std::min(path_at, call_.url.size()));
  if (!IsPlain(path)) return false;
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(posts ? call_.body.size() : 0));
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, posts ? call_.body.c_str() : nullptr);
  // After the body: setting one, even a null one, makes the request a POST.
  curl_easy_setopt(easy_, posts ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Attempt::OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Attempt::OnHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, &Attempt::OnRequest);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, this);
  AimAt(easy_, aim_);
  // The origin's own spelling, not the caller's: curl parses what we compared.
  return curl_easy_setopt(easy_, CURLOPT_URL, (aim_.origin.text() + std::string(path)).c_str()) == CURLE_OK;
}

bool Attempt::Begin() {
  const base::Micros left = deadline_ - base::MonoMicros();
  if (left < base::kMicrosPerMilli) return false;
  const base::Micros most = std::min<base::Micros>(left, base::kMicrosPerDay);
  const long whole = most / base::kMicrosPerMilli,
             connecting = std::min(most, kMostConnecting) / base::kMicrosPerMilli;
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, whole);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, connecting);
  code_ = 0;
  ended_ = false;
  started_ = loop_.Start(easy_, *this, running_);
  return started_;
}

asio::awaitable<void> Attempt::Ended() {
  asio::error_code cancelled;
  if (!ended_) co_await signal_->timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

void Attempt::End() {
  if (!std::exchange(started_, false)) return;
  long connects = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &connects);
  new_connections_ += connects;
  loop_.Stop(easy_, running_);
  ForgetHeaders(easy_);
}

asio::awaitable<std::expected<HttpAnswer, TransportFailure>> Attempt::Run(base::Micros deadline) {
  deadline_ = deadline;
  if (!Prepare()) co_return std::unexpected(TransportFailure::kInternal);
  if (!Begin())
    co_return std::unexpected(base::MonoMicros() + base::kMicrosPerMilli > deadline
                                  ? TransportFailure::kTimeout
                                  : TransportFailure::kInternal);
  co_await Ended();
  End();
  if (IsWorthFreshConnection()) {
    curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
    if (!Begin()) co_return std::unexpected(TransportFailure::kConnect);
    co_await Ended();
    End();
  }
  // Neither ended nor failed: whoever waited for this call has cancelled it.
  if (!ended_) co_return std::unexpected(TransportFailure::kTimeout);
  if (code_ != CURLE_OK) co_return std::unexpected(Failure());
  // An answer though no key went out: the hook did not see the write. Nothing may rely on such a call.
  if (splice_ != nullptr && splice_->state() != Splice::State::kDone)
    co_return std::unexpected(TransportFailure::kSplice);
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  answer_.status = static_cast<int>(status);
  co_return std::move(answer_);
}

void Attempt::OnEnd(int code) {
  if (ended_) return;
  ended_ = true;
  code_ = code;
  signal_->timer.cancel();
}

bool Attempt::sent() const {
  if (splice_ != nullptr) return splice_->sent();
  long bytes = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > 0;
}

// curl goes through at most five reused connections; after a provider's restart all 256 of them may be dead.
bool Attempt::IsWorthFreshConnection() const {
  return ended_ && code_ == CURLE_SEND_ERROR && splice_ != nullptr && splice_->met_dead() &&
         splice_->state() == Splice::State::kArmed;
}

TransportFailure Attempt::Failure() const {
  if (too_large_) return TransportFailure::kTooLarge;
  if (code_ == CURLE_OPERATION_TIMEDOUT) {
    const bool late = base::MonoMicros() + kClockSlack >= deadline_;
    return late || sent() ? TransportFailure::kTimeout : TransportFailure::kConnect;
  }
  if (sent()) return TransportFailure::kLost;
  if (splice_ != nullptr && splice_->state() == Splice::State::kRefused) return TransportFailure::kSplice;
  switch (code_) {
    case kClosed:
    case CURLE_FAILED_INIT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return TransportFailure::kInternal;
    default:
      return TransportFailure::kConnect;
  }
}

std::size_t Attempt::OnBody(char* bytes, std::size_t one, std::size_t count, void* attempt) {
  auto* const self = static_cast<Attempt*>(attempt);
  std::string& body = self->answer_.body;
  if (count * one > kMostAnswerBytes - body.size()) {
    self->too_large_ = true;
    return 0;
  }
  body.append(bytes, one * count);
  return one * count;
}

std::size_t Attempt::OnHeader(char* bytes, std::size_t one, std::size_t count, void* attempt) {
  static_cast<Attempt*>(attempt)->ReadHeader(std::string_view(bytes, one * count));
  MaskLine(bytes, one * count);
  return one * count;
}

void Attempt::ReadHeader(std::string_view line) {
  // A status line begins anew: what a 1xx answer said before it does not count.
  if (line.starts_with("HTTP/"))
    answer_.retry_after = answer_.retry_after_ms = answer_.should_retry = std::nullopt;
  if (const auto value = HeaderValue(line, "retry-after:")) answer_.retry_after = *value;
  if (const auto value = HeaderValue(line, "retry-after-ms:")) answer_.retry_after_ms = *value;
  if (const auto value = HeaderValue(line, "x-should-retry:")) answer_.should_retry = *value;
  if (const auto value = HeaderValue(line, "content-length:")) {
    std::size_t size = 0;
    std::from_chars(value->data(), value->data() + value->size(), size);
    // A string that grows leaves copies of the answer behind; a lying length costs no more than 1 MiB.
    answer_.body.reserve(std::min<std::size_t>(size, 1 << 20));
  }
}

// curl sends again, on its own, when a reused connection dies. Here it asks before each request: no second
// one.
int Attempt::OnRequest(void* attempt, char*, char*, int, int) {
  return static_cast<Attempt*>(attempt)->sent() ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

}  // namespace strongroom::worker
