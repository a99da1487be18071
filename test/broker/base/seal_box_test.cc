#include "broker/base/seal_box.h"

#include <doctest/doctest.h>

using broker::Exit, broker::SealBox, broker::SealTo, broker::Secret;

TEST_CASE("What is sealed to the broker's key opens there and nowhere else") {
  const SealBox box;
  const SealBox restarted;
  const auto sealed = SealTo(box.public_key(), Secret::CopyOf("typed by a person"));
  REQUIRE(sealed.has_value());
  CHECK(box.Open(*sealed)->Expose(Exit::kTest) == "typed by a person");
  CHECK_FALSE(restarted.Open(*sealed).has_value());
}

TEST_CASE("A box that was changed, cut, or is none does not open") {
  const SealBox box;
  std::string sealed = *SealTo(box.public_key(), Secret::CopyOf("x"));
  CHECK_FALSE(box.Open("").has_value());
  CHECK_FALSE(box.Open("not base64!").has_value());
  CHECK_FALSE(box.Open(sealed.substr(4)).has_value());
  sealed[10] = sealed[10] == 'A' ? 'B' : 'A';
  CHECK_FALSE(box.Open(sealed).has_value());
  CHECK_FALSE(box.Open(std::string(SealBox::kMaxSealedBytes * 2, 'A')).has_value());
}

TEST_CASE("Only a public key is sealed to") {
  CHECK_FALSE(SealTo("", Secret::CopyOf("x")).has_value());
  CHECK_FALSE(SealTo("AAAA", Secret::CopyOf("x")).has_value());
}
