// JSON as the worker reads it: strict, bounded in depth, and by spans of the original text, so that metadata can be
// echoed as it came (big integers, 1e400, key order and duplicates survive) and a long answer is copied once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strongroom::worker {

// The deepest nesting that is read; deeper text counts as malformed.
inline constexpr int kMostJsonDepth = 64;

// JsonValue is a view of one well-formed value (RFC 8259) inside a text that must outlive it.
class JsonValue {
 public:
  // Parse checks a whole text: one value, nothing after it. nullopt where it is malformed or too deep. UTF-8 inside
  // strings is not checked; Text repairs it.
  static std::optional<JsonValue> Parse(std::string_view text);

  std::string_view raw() const { return raw_; }
  bool is_null() const { return raw_.front() == 'n'; }
  bool is_object() const { return raw_.front() == '{'; }
  bool is_array() const { return raw_.front() == '['; }
  bool is_string() const { return raw_.front() == '"'; }

  // Text is the string's content; bad UTF-8 and lone surrogates become U+FFFD. nullopt where it is no string.
  std::optional<std::string> Text() const;
  // Integer is a number written without fraction or exponent that fits. nullopt for anything else.
  std::optional<std::int64_t> Integer() const;
  // Number is any number that a double can hold. nullopt for anything else.
  std::optional<double> Number() const;

 private:
  friend class JsonWalk;
  explicit JsonValue(std::string_view raw) : raw_(raw) {}
  std::string_view raw_;  // never empty
};

// JsonWalk goes through the members of an object or the items of an array, one by one, checking as it goes. After the
// last, or where the text breaks off or turns malformed, Next is nullopt; `whole` tells which.
class JsonWalk {
 public:
  explicit JsonWalk(JsonValue value) : JsonWalk(value.raw()) {}
  // A walk may also start on unchecked text: what was well-formed before the damage is still read.
  explicit JsonWalk(std::string_view text);

  std::optional<JsonValue> Next();
  // name is the decoded name of the member that Next returned; empty in an array.
  std::string name() const;
  // whole is true once the container has been closed and nothing but space follows.
  bool whole() const { return whole_; }

 private:
  friend class JsonObject;
  std::optional<JsonValue> End(bool whole);

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view name_;  // raw, with its quotes
  char close_ = 0;
  bool first_ = true, over_ = false, whole_ = false;
};

// JsonObject is the members of an object, found in one walk over its text, which must outlive it.
class JsonObject {
 public:
  JsonObject() = default;
  // Parse checks a whole text: nullopt where it is malformed, too deep, or no object.
  static std::optional<JsonObject> Parse(std::string_view text);
  // A value that is no object has no members.
  explicit JsonObject(JsonValue value);

  // Find is the first member of that name.
  std::optional<JsonValue> Find(std::string_view name) const;

 private:
  struct Member {
    std::string_view name;  // raw, with its quotes
    JsonValue value;
  };
  explicit JsonObject(std::vector<Member> members) : members_(std::move(members)) {}
  static std::vector<Member> Read(JsonWalk& walk);

  std::vector<Member> members_;
};

// HasLoneSurrogate is true where a well-formed JSON text escapes half a surrogate pair: such text is no Unicode.
bool HasLoneSurrogate(std::string_view json);

// RepairUtf8 replaces each byte that is not part of well-formed UTF-8 by U+FFFD.
std::string RepairUtf8(std::string_view text);

// CutUtf8 is text cut to at most `most` bytes without splitting a character.
std::string_view CutUtf8(std::string_view text, std::size_t most);

// AppendNumber appends the shortest JSON number that reads back as the same finite double.
void AppendNumber(std::string& out, double number);

}  // namespace strongroom::worker
