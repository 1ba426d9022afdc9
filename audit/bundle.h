// BundleSource: a trail that was exported, in the layout of c2sp.org/tlog-tiles: DIR/checkpoint, DIR/tile/<L>/<N>[.p/<W>] and
// DIR/tile/entries/<N>[.p/<W>].
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/source.h"

namespace strongroom::audit {

// TilePath is "tile/<level>/<index>[.p/<width>]": the index in groups of three digits, all but the last behind an x.
std::string TilePath(std::string_view level, std::int64_t index, std::int64_t width);

// The records below what was pruned that were kept, a line each, and on the last line the one that says so.
inline constexpr std::string_view kPrunedFile = "pruned.jsonl";

// PrunedBundle is what that file says.
struct PrunedBundle {
  Pruned pruned;
  std::vector<Row> kept;
};
// ReadPruned is nullopt where its last line is no such record; kept records that are not there are left out.
std::optional<PrunedBundle> ReadPruned(std::string_view lines);

// SplitEntries makes rows of an entry bundle, from seq `first` on, at most `most`. What does not fit its lengths stays part of the last
// record, which then is none.
std::vector<Row> SplitEntries(std::string_view bytes, std::int64_t first, std::int64_t most);

class BundleSource : public TrailSource {
 public:
  // `size` is how many records the bundle's checkpoint says there are. What files there are beyond it is not looked at.
  BundleSource(std::string directory, std::int64_t size) : directory_(std::move(directory)), size_(size) {}
  Result<Page> Read(std::int64_t after) override;
  Result<std::optional<std::vector<Hash>>> Tile(int level, std::int64_t index, std::int64_t width) override;
  bool keeps_partial_tiles() const override { return true; }
  Result<std::optional<Head>> StoredHead() override { return std::nullopt; }
  bool keeps_head() const override { return false; }
  Result<std::int64_t> FullTiles() override { return 0; }
  Result<std::optional<Pruned>> FindPruned() override;

 private:
  struct Stored {
    std::string bytes;
    std::int64_t width = 0;  // that its name tells
  };
  // File is a tile, the full one where the partial one is gone; nullopt where there is neither.
  Result<std::optional<Stored>> File(std::string_view level, std::int64_t index, std::int64_t width) const;
  std::int64_t WidthOf(std::int64_t index) const;

  const std::string directory_;
  const std::int64_t size_;
  std::optional<PrunedBundle> pruned_;
};

}  // namespace strongroom::audit
