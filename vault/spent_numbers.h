// SpentNumbers: for which (customer, request_id, attempt) a key was released, so that none is released for it again.
//
// A number is kept as a 64-bit SipHash under a random key of this process: nobody can choose two that meet, and among all
// that are remembered two meet by accident once in 10^13. There are two generations, each a flat table: once the younger
// one is full, the older is forgotten. So at least the newest kLeastKept numbers are remembered, at most twice as many,
// in 8 MiB whatever is asked for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace strongroom::vault {

// SpentNumbers belongs to one thread.
class SpentNumbers {
 public:
  static constexpr std::size_t kLeastKept = std::size_t{1} << 18;

  SpentNumbers();

  std::uint64_t Number(std::string_view customer, std::string_view request_id, std::int64_t attempt) const;
  bool Has(std::uint64_t number) const { return young_.Has(number) || old_.Has(number); }
  void Add(std::uint64_t number);
  // Remove takes a number back that was not spent after all.
  void Remove(std::uint64_t number);
  // Turn begins a younger generation: what was remembered at the last but one is forgotten.
  void Turn();

 private:
  // Table is open addressing with linear probing, never more than half full; 0 marks an empty slot.
  class Table {
   public:
    Table() : slots_(2 * kLeastKept) {}
    bool Has(std::uint64_t number) const { return slots_[Find(number)] == number; }
    void Add(std::uint64_t number);
    void Remove(std::uint64_t number);
    void Clear();
    bool full() const { return size_ >= kLeastKept; }

   private:
    static std::size_t Home(std::uint64_t number) { return number & (2 * kLeastKept - 1); }
    static std::size_t Next(std::size_t slot) { return (slot + 1) & (2 * kLeastKept - 1); }
    std::size_t Find(std::uint64_t number) const;

    std::vector<std::uint64_t> slots_;
    std::size_t size_ = 0;
  };

  std::array<unsigned char, 16> key_;
  Table young_, old_;
};

}  // namespace strongroom::vault
