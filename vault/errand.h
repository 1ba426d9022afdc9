// Errand: what vaultd does by itself once its time has come, to one row after the other: an act of its own, with a record like any act.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "vault/refusal.h"

namespace strongroom::vault {

class Act;
struct OpenVault;
class Store;

class Errand {
 public:
  // Names is how records and logs call it: the act, what was done, what was not, and what a row is known by.
  struct Names {
    std::string_view action;
    base::Literal done, not_done, row;
  };

  // `vault` must outlive it, and it the vault's log.
  Errand(OpenVault& vault, Names names) : vault_(vault), names_(names) {}
  virtual ~Errand() = default;
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  // Look is to be called now and then, on one thread; where a row's time has come by `now`, it hands one to the trail's writer, and the next when that
  // is done. Nothing is done while the vault is sealed or in quarantine, nor on a trail that is not known to be sound. Of the nodes that share a
  // database the first to serve, by id, does it; each other one waits a while longer, for where that one is away.
  void Look(base::Micros now);

 protected:
  // Find is the rows whose time had come at `until`, at most `most`.
  virtual Result<std::vector<std::string>> Find(Store& store, base::Micros until, std::int64_t most) const = 0;
  // Make is the act on one. It decides by the row as it is then.
  virtual std::unique_ptr<Act> Make(const std::string& ref) = 0;
  // IsOfRow is whether a refusal is this row's own, and not of the trail or the database being away.
  virtual bool IsOfRow(Refusal why) const = 0;

  OpenVault& vault_;

 private:
  Result<std::optional<std::string>> FindNext(base::Micros now);
  // Turn is how many serving nodes come before this one.
  Result<std::int64_t> Turn(Store& store) const;
  void Submit(const std::string& ref);

  const Names names_;
  std::atomic<bool> under_way_{false};
  std::atomic<base::Micros> look_at_{0};  // MonoMicros
  std::mutex mutex_;                      // guards refused_
  std::map<std::string, base::Micros, std::less<>> refused_;  // rows that were refused, and when to try again (MonoMicros)
};

}  // namespace strongroom::vault
