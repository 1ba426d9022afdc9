#include "audit/bundle.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "audit/record.h"
#include "audit/tree.h"
#include "base/files.h"

namespace strongroom::audit {
namespace {

// An entry's length is two bytes.
constexpr std::size_t kMostFileBytes = kTileWidth * (2 + 65'535);
// So many tiles missing one after another are the end: a checkpoint may claim any size.
constexpr int kMostMissing = 1000;

}  // namespace

std::string TilePath(std::string_view level, std::int64_t index, std::int64_t width) {
  char digits[8];
  std::snprintf(digits, sizeof digits, "%03d", static_cast<int>(index % 1000));
  std::string number = digits;
  for (std::int64_t rest = index / 1000; rest > 0; rest /= 1000) {
    std::snprintf(digits, sizeof digits, "x%03d", static_cast<int>(rest % 1000));
    number = std::string(digits) + '/' + number;
  }
  const std::string partial = width == kTileWidth ? "" : ".p/" + std::to_string(width);
  return "tile/" + std::string(level) + '/' + number + partial;
}

std::vector<Row> SplitEntries(std::string_view bytes, std::int64_t first, std::int64_t most) {
  std::vector<Row> rows;
  while (std::ssize(rows) < most && !bytes.empty()) {
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
    const std::size_t length = bytes.size() < 2 ? bytes.size() : byte(0) << 8 | byte(1);
    const bool whole = bytes.size() >= 2 && bytes.size() - 2 >= length;
    const std::string_view record = whole ? bytes.substr(2, length) : bytes;
    bytes.remove_prefix(whole ? 2 + length : bytes.size());
    const ByteView view = base::AsBytes(record);
    rows.push_back({first + std::ssize(rows), Bytes(view.begin(), view.end()), std::nullopt});
  }
  if (!bytes.empty() && !rows.empty()) {
    const ByteView rest = base::AsBytes(bytes);
    rows.back().record.insert(rows.back().record.end(), rest.begin(), rest.end());
  }
  return rows;
}

std::optional<PrunedBundle> ReadPruned(std::string_view lines) {
  if (lines.empty() || lines.back() != '\n') return std::nullopt;
  lines.remove_suffix(1);
  const std::size_t last = lines.rfind('\n') + 1;  // 0 where there is one line alone
  const auto entry = Parse(lines.substr(last));
  auto pruned = entry ? PrunedBy(*entry) : std::nullopt;
  if (!pruned) return std::nullopt;
  PrunedBundle bundle{std::move(*pruned), {}};
  lines = lines.substr(0, last);
  for (const std::int64_t seq : bundle.pruned.kept) {
    const std::size_t end = lines.find('\n');
    if (end == std::string_view::npos) break;
    const ByteView record = base::AsBytes(lines.substr(0, end));
    bundle.kept.push_back({seq, Bytes(record.begin(), record.end()), std::nullopt});
    lines.remove_prefix(end + 1);
  }
  return bundle;
}

Result<std::optional<Pruned>> BundleSource::FindPruned() {
  constexpr std::size_t kMost = (kMostKept + 1) * (kMostRecordBytes + 1);
  const auto lines = base::ReadFile(directory_ + '/' + std::string(kPrunedFile), kMost);
  if (!lines && lines.error().code() != Code::kNotFound) return std::unexpected(lines.error());
  pruned_ = lines ? ReadPruned(*lines) : std::nullopt;
  if (!pruned_) return std::nullopt;
  return pruned_->pruned;
}

std::int64_t BundleSource::WidthOf(std::int64_t index) const { return std::min(kTileWidth, size_ - index * kTileWidth); }

Result<std::optional<BundleSource::Stored>> BundleSource::File(std::string_view level, std::int64_t index, std::int64_t width) const {
  for (const std::int64_t stored : {width, kTileWidth}) {
    auto file = base::ReadFile(directory_ + '/' + TilePath(level, index, stored), kMostFileBytes);
    if (file) return Stored{std::move(*file), stored};
    if (file.error().code() != Code::kNotFound) return std::unexpected(file.error());
  }
  return std::nullopt;
}

Result<Page> BundleSource::Read(std::int64_t after) {
  Page page;
  // A tile that is missing is passed over: the rows behind it show the gap.
  int missing = 0;
  std::int64_t seq = std::max<std::int64_t>(after + 1, 0);
  if (pruned_ && seq < pruned_->pruned.first) {
    std::ranges::copy_if(pruned_->kept, std::back_inserter(page.rows), [&](const Row& row) { return row.seq >= seq; });
    seq = pruned_->pruned.first;
  }
  for (; seq < size_ && page.rows.empty() && missing < kMostMissing; ++missing) {
    const std::int64_t index = seq / kTileWidth, width = WidthOf(index);
    TRY_ASSIGN(const auto entries, File("entries", index, width));
    if (entries) {
      page.rows = SplitEntries(entries->bytes, index * kTileWidth, entries->width);
      std::erase_if(page.rows, [&](const Row& row) { return row.seq < seq || row.seq >= size_; });
    }
    if (width == kTileWidth) {
      TRY_ASSIGN(auto tile, Tile(0, index, width));
      if (tile) page.tiles.emplace(index, std::move(*tile));
    }
    seq = (index + 1) * kTileWidth;
  }
  page.end = page.rows.empty() || page.rows.back().seq + 1 >= size_;
  return page;
}

Result<std::optional<std::vector<Hash>>> BundleSource::Tile(int level, std::int64_t index, std::int64_t width) {
  TRY_ASSIGN(const auto stored, File(std::to_string(level), index, width));
  if (!stored) return std::nullopt;
  std::vector<Hash> hashes = SplitHashes(base::AsBytes(stored->bytes));
  // The full tile in a partial one's place holds more.
  if (stored->width > width && std::ssize(hashes) > width) hashes.resize(static_cast<std::size_t>(width));
  return hashes;
}

}  // namespace strongroom::audit
