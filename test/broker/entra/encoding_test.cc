#include <doctest/doctest.h>

#include "broker/entra/base64url.h"
#include "broker/entra/form.h"

using broker::Exit;
using broker::entra::Base64UrlDecode;
using broker::entra::Base64UrlEncode;

TEST_CASE("base64url follows RFC 4648 §10 without padding") {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"},
  };
  for (const auto& [bytes, text] : rows) {
    CHECK(Base64UrlEncode(bytes) == text);
    const auto back = Base64UrlDecode(text);
    REQUIRE(back.has_value());
    CHECK(back->Expose(Exit::kTest) == bytes);
  }
  // RFC 7515 appendix C.
  CHECK(Base64UrlEncode({"\x03\xec\xff\xe0\xc1", 5}) == "A-z_4ME");
}

TEST_CASE("base64url has one spelling") {
  for (const char* text :
       {"Zg==", "Zm8=", "Z", "Zh", "Zm9", "+/8", "Zm 9v", "Zm9v\n", "Zm9v.", "é"}) {
    CAPTURE(text);
    CHECK_FALSE(Base64UrlDecode(text).has_value());
  }
}

TEST_CASE("A form percent-encodes all but the unreserved characters") {
  broker::entra::Form form;
  form.Add("plain", "AZaz09-._~");
  form.Add("odd", " +&=%/:\n\xc3\xa9");
  form.Add("secret", broker::Secret::CopyOf("p@ss"));
  form.Add("empty", "");
  CHECK(form.Take().Expose(Exit::kTest) ==
        "plain=AZaz09-._~&odd=%20%2B%26%3D%25%2F%3A%0A%C3%A9&secret=p%40ss&empty=");
  CHECK(broker::entra::PercentEncode("contoso.com/../x") == "contoso.com%2F..%2Fx");
}
