#include "vault/token_thread.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// How long a token that is no longer wanted, for a seal or a stop, may take to log out.
constexpr base::Micros kLogout = base::kMicrosPerSecond;

// A module is initialized for a whole process: one thread has it at a time.
struct Turns {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool taken = false, unanswered = false;
  std::thread left;  // one that was not waited for
};

// It is never destroyed: a module may let a thread go while the process ends.
Turns& TheTurns() {
  static Turns& turns = *new Turns;
  return turns;
}

auto After(base::Micros time) { return std::chrono::steady_clock::now() + std::chrono::microseconds(time); }

std::unexpected<Error> Silent(base::Literal what, base::Micros patience) {
  base::LogError("token_silent", Error(Code::kUnavailable, what, patience / base::kMicrosPerMilli));
  return Refuse(Refusal::kTokenSilent);
}

}  // namespace

// Desk is what the asker and the thread share; whoever leaves last takes it away.
struct Cipher::TokenThread::Desk {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::function<void(std::unique_ptr<Token>&)> work;
  bool answered = false;
  bool gone = false;   // nobody asks any more: the thread logs out and ends
  bool ended = false;

  // Abandon leaves the thread to itself. The caller has the mutex.
  void Abandon() {
    gone = true;
    changed.notify_all();
    if (ended) return;
    const std::lock_guard lock(TheTurns().mutex);
    TheTurns().unanswered = true;
    TheTurns().changed.notify_all();
  }
};

// JoinLeft sees a thread off that has come back after all: it has a few steps left to its end.
void Cipher::TokenThread::JoinLeft() {
  std::thread back;
  {
    const std::lock_guard lock(TheTurns().mutex);
    if (!TheTurns().unanswered) back = std::move(TheTurns().left);
  }
  if (back.joinable()) back.join();
}

Result<void> Cipher::TokenThread::TakeTurn(const Patience& patience) {
  JoinLeft();
  Turns& turns = TheTurns();
  std::unique_lock lock(turns.mutex);
  const auto decided = [&turns] { return turns.unanswered || !turns.taken; };
  const bool in_time = turns.changed.wait_until(lock, patience.stop, After(patience.most), decided);
  if (turns.unanswered) return Silent("the module has not come back from an earlier call: waiting no longer than (ms)", 0);
  if (!in_time) return Silent("another ceremony has the token for longer than (ms)", patience.most);
  turns.taken = true;
  return {};
}

void Cipher::TokenThread::Serve(Desk& desk) {
  std::unique_ptr<Token> token;
  std::unique_lock lock(desk.mutex);
  while (true) {
    desk.changed.wait(lock, [&desk] { return desk.gone || desk.work; });
    if (desk.gone) break;
    {
      const auto work = std::exchange(desk.work, nullptr);
      lock.unlock();
      work(token);
      // What nobody waits for is wiped here, with the work that holds it.
    }
    lock.lock();
    desk.answered = true;
    desk.changed.notify_all();
  }
  desk.work = nullptr;
  lock.unlock();
  token.reset();
  lock.lock();
  desk.ended = true;
  desk.changed.notify_all();
  Turns& turns = TheTurns();
  const std::lock_guard turn(turns.mutex);
  turns.taken = turns.unanswered = false;
  turns.changed.notify_all();
}

template <typename T>
Result<T> Cipher::TokenThread::Ask(std::function<Result<T>(std::unique_ptr<Token>&)> call) {
  const auto outcome = std::make_shared<std::optional<Result<T>>>();
  std::unique_lock lock(desk_->mutex);
  if (desk_->gone) return Refuse(Refusal::kTokenSilent);
  desk_->answered = false;
  desk_->work = [outcome, call = std::move(call)](std::unique_ptr<Token>& token) { outcome->emplace(call(token)); };
  desk_->changed.notify_all();
  const auto answered = [this] { return desk_->answered; };
  if (desk_->changed.wait_until(lock, patience_.stop, After(patience_.most), answered)) return std::move(**outcome);
  desk_->Abandon();
  if (patience_.stop.stop_requested()) return Silent("a seal or a stop has ended the wait for the module, of at most (ms)", patience_.most);
  return Silent("the module does not answer within (ms)", patience_.most);
}

Result<std::shared_ptr<SecretValue>> Cipher::TokenThread::CopyOf(SecretView secret) {
  TRY_ASSIGN(SecretValue copy, SecretValue::Allocate(secret.size()));
  std::ranges::copy(secret.Bytes(SecretAccess()), copy.Bytes(SecretAccess()).begin());
  ClearRegisters();
  return std::make_shared<SecretValue>(std::move(copy));
}

Result<std::unique_ptr<Cipher::TokenThread>> Cipher::TokenThread::Open(const std::string& module, const TokenUri& key,
                                                                       const Token::Login& login, Token::NoKey no_key,
                                                                       Patience patience) {
  TRY_ASSIGN(auto pin, CopyOf(login.pin));
  const auto desk = std::make_shared<Desk>();
  TRY(TakeTurn(patience));
  std::unique_ptr<TokenThread> opened(new TokenThread(desk, std::move(patience)));
  try {
    opened->thread_ = std::thread([desk] { Serve(*desk); });
  } catch (const std::system_error&) {
    desk->gone = true;
    Serve(*desk);  // which, with nobody to serve, gives the turn back
    return Refuse(Refusal::kBusy);
  }
  TRY(opened->Ask<void>([=, pin = std::move(pin), kept = login.pin_is_kept](std::unique_ptr<Token>& token) -> Result<void> {
    TRY_ASSIGN(token, Token::Open(module, key, {pin->View(), kept}, no_key));
    return {};
  }));
  return opened;
}

Cipher::TokenThread::~TokenThread() {
  std::unique_lock lock(desk_->mutex);
  if (!std::exchange(desk_->gone, true)) {
    desk_->changed.notify_all();
    const base::Micros most = patience_.stop.stop_requested() ? std::min(kLogout, patience_.most) : patience_.most;
    if (!desk_->changed.wait_until(lock, After(most), [this] { return desk_->ended; })) {
      base::LogError("token_silent", Error(Code::kUnavailable, "the module does not log out within (ms)", most / base::kMicrosPerMilli));
      desk_->Abandon();
    }
  }
  const bool ended = desk_->ended;
  lock.unlock();
  if (ended && thread_.joinable()) thread_.join();
  if (!thread_.joinable()) return;
  std::thread& left = TheTurns().left;
  const std::lock_guard turn(TheTurns().mutex);
  if (left.joinable()) left.detach();  // it has come back, for this one had its turn
  left = std::move(thread_);
}

Result<Bytes> Cipher::TokenThread::Seal(ByteView nonce, ByteView aad, SecretView plaintext) {
  TRY_ASSIGN(const auto secret, CopyOf(plaintext));
  auto sealed = Ask<Bytes>([nonce = Bytes(nonce.begin(), nonce.end()), aad = Bytes(aad.begin(), aad.end()),
                            secret](std::unique_ptr<Token>& token) { return token->Seal(nonce, aad, secret->View()); });
  // Where the module still has it, it keeps the room, which is its own until it lets go; what stood there goes now.
  std::ranges::fill(secret->Bytes(SecretAccess()), std::uint8_t{0});
  ClearRegisters();
  return sealed;
}

Result<SecretValue> Cipher::TokenThread::OpenSealed(ByteView nonce, ByteView aad, ByteView ciphertext) {
  return Ask<SecretValue>([nonce = Bytes(nonce.begin(), nonce.end()), aad = Bytes(aad.begin(), aad.end()),
                           ciphertext = Bytes(ciphertext.begin(), ciphertext.end())](std::unique_ptr<Token>& token) {
    return token->OpenSealed(nonce, aad, ciphertext);
  });
}

bool Cipher::TokenThread::Unanswered() {
  JoinLeft();
  const std::lock_guard lock(TheTurns().mutex);
  return TheTurns().unanswered;
}

}  // namespace strongroom::vault
