#include "broker/entra/form.h"

#include <doctest/doctest.h>

TEST_CASE("A form percent-encodes all but the unreserved characters") {
  broker::entra::Form form;
  form.Add("plain", "AZaz09-._~");
  form.Add("odd", " +&=%/:\n\xc3\xa9");
  form.Add("secret", broker::Secret::CopyOf("p@ss"));
  form.Add("empty", "");
  CHECK(form.Take().Expose(broker::Exit::kTest) ==
        "plain=AZaz09-._~&odd=%20%2B%26%3D%25%2F%3A%0A%C3%A9&secret=p%40ss&empty=");
  CHECK(broker::entra::PercentEncode("contoso.com/../x") == "contoso.com%2F..%2Fx");
}
