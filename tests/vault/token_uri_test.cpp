// PKCS#11 URIs: what names a key, and what is refused rather than passed over.
#include "vault/token_uri.h"

#include <catch2/catch.hpp>

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
  const std::string label(33, 'x');
  for (const std::string& bad :
       {std::string(""), std::string("pkcs11:"), std::string("PKCS11:token=t;object=o"), std::string("token=t;object=o"),
        std::string("pkcs11:token=t"), std::string("pkcs11:object=o"), std::string("pkcs11:token=;object=o"),
        std::string("pkcs11:token=t;object="), std::string("pkcs11:token=t;token=t;object=o"), std::string("pkcs11:token=t;id=a;id=b"),
        std::string("pkcs11:token=t;object=o;"), std::string("pkcs11:;token=t;object=o"), std::string("pkcs11:token=t;object"),
        std::string("pkcs11:token=t;object=o;slot-id=1"), std::string("pkcs11:token=t;object=o;library-version=3"),
        std::string("pkcs11:token=t;object=o;type=private"), std::string("pkcs11:token=t;object=o;type=secret-key;type=secret-key"),
        std::string("pkcs11:token=t;object=o?pin-value=1234"), std::string("pkcs11:token=t;object=o?module-path=/m.so"),
        std::string("pkcs11:token=t;object=o#f"), std::string("pkcs11:token=t u;object=o"), std::string("pkcs11:token=%;object=o"),
        std::string("pkcs11:token=%4;object=o"), std::string("pkcs11:token=t;object=%4"), std::string("pkcs11:token=%zz;object=o"),
        std::string("pkcs11:token=%00;object=o"), std::string("pkcs11:token=%ff;object=o"), std::string("pkcs11:token=t\n;object=o"),
        std::string("pkcs11:token=t/u;object=o"), "pkcs11:token=" + label + ";object=o", "pkcs11:serial=" + label + ";object=o",
        "pkcs11:token=t;object=" + std::string(256, 'o'), "pkcs11:token=t;id=" + std::string(256, 'o')}) {
    INFO(bad);
    const auto read = TokenUri::Parse(bad);
    REQUIRE_FALSE(read);
    CHECK(read.error().code() == Code::kInvalidArgument);
  }
}

}  // namespace strongroom::vault
