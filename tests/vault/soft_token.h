// SoftToken: a PKCS#11 token in software (SoftHSM 2) in a directory of its own, which goes with the object.
#pragma once

#include <string>

namespace strongroom::vault {

class SoftToken {
 public:
  // The test fails where SoftHSM is not installed. This process, and what inherits its environment, sees this token.
  SoftToken();
  ~SoftToken();
  SoftToken(const SoftToken&) = delete;
  SoftToken& operator=(const SoftToken&) = delete;

  static constexpr const char* kPin = "correct-horse-PIN-2718281828";
  static constexpr const char* kUri = "pkcs11:token=strongroom;object=kek";
  // Module is the path of SoftHSM's library.
  static std::string Module();
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string Configuration() const { return Path("softhsm2.conf"); }

  // Unplug and Plug take the token away and put it back.
  void Unplug() const;
  void Plug() const;
  // Fail is a fault of the module tests/fault/faulty_token.cpp, "" for none.
  static void Fail(const std::string& fault);
  // MakeToken makes another token of this label; MakeKey a key on the first, of so many bytes.
  void MakeToken(const std::string& label) const;
  struct Kind {
    bool sensitive = true, extractable = false;
    unsigned long bytes = 32;
  };
  void MakeKey(const std::string& label, const Kind& kind) const;
  // DestroyKeys takes every key of this label away; it returns how many there were.
  int DestroyKeys(const std::string& label) const;

 private:
  std::string directory_;
};

}  // namespace strongroom::vault
