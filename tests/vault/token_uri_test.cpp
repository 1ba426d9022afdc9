// PKCS#11 URIs: what names a key, and what is refused rather than passed over.
#include "vault/token_uri.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

namespace strongroom::vault {

TEST_CASE("token uri: what it names", "[token]") {
  const TokenUri uri = TokenUri::Parse("pkcs11:token=Strong%20room;object=kek;type=secret-key;id=%01%fF").value();
  CHECK(uri.token == "Strong room");
  CHECK(uri.object == "kek");
  CHECK(uri.id == Bytes{0x01, 0xff});
  CHECK(uri.Print() == "pkcs11:token=Strong%20room;object=kek;id=%01%ff");
  // RFC 7512, section 3: these stand for themselves in a value.
  const TokenUri other = TokenUri::Parse("pkcs11:serial=:[]@!$'()*+,=&;id=A;model=m;manufacturer=M").value();
  CHECK(other.serial == ":[]@!$'()*+,=&");
  CHECK(TokenUri::Parse(other.Print()) == other);
}

TEST_CASE("token uri: what is refused", "[token]") {
  std::vector<std::string> all = {
      "", "pkcs11:", "PKCS11:token=t;object=o", "token=t;object=o", "pkcs11:token=t", "pkcs11:object=o",
      "pkcs11:token=;object=o", "pkcs11:token=t;object=", "pkcs11:token=t;token=t;object=o",
      "pkcs11:token=t;id=a;id=b", "pkcs11:token=t;object=o;", "pkcs11:;token=t;object=o", "pkcs11:token=t;object",
      "pkcs11:token=t;object=o;slot-id=1", "pkcs11:token=t;object=o;library-version=3",
      "pkcs11:token=t;object=o;type=private", "pkcs11:token=t;object=o;type=secret-key;type=secret-key",
      "pkcs11:token=t;object=o?pin-value=1234", "pkcs11:token=t;object=o?module-path=/m.so",
      "pkcs11:token=t;object=o#f", "pkcs11:token=t u;object=o", "pkcs11:token=%;object=o",
      "pkcs11:token=%4;object=o", "pkcs11:token=t;object=%4", "pkcs11:token=%zz;object=o",
      "pkcs11:token=%00;object=o", "pkcs11:token=%ff;object=o", "pkcs11:token=t\n;object=o",
      "pkcs11:token=t/u;object=o"};
  // As long as PKCS#11 has room for, and one more.
  for (const auto& [name, most] : std::map<std::string, std::size_t>{
           {"token=t;id=1;serial", 16}, {"token=t;id=1;model", 16}, {"token=t;id=1;manufacturer", 32},
           {"object=o;token", 32}, {"token=t;object", 255}, {"token=t;id", 255}}) {
    CHECK(TokenUri::Parse("pkcs11:" + name + "=" + std::string(most, 'x')).has_value());
    all.push_back("pkcs11:" + name + "=" + std::string(most + 1, 'x'));
  }
  for (const std::string& bad : all) {
    INFO(bad);
    const auto read = TokenUri::Parse(bad);
    REQUIRE_FALSE(read);
    CHECK(read.error().code() == Code::kInvalidArgument);
  }
}

}  // namespace strongroom::vault
