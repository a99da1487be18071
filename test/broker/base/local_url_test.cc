#include "broker/base/local_url.h"

#include <doctest/doctest.h>

#include <string>

using broker::IsLocalHttpUrl;

TEST_CASE("Only this machine and its own link are asked without TLS") {
  for (const char* url :
       {"http://127.0.0.1/x", "http://127.8.8.8:81/x/", "http://169.254.169.254/m",
        "http://localhost:42356/msi/token", "http://[::1]:80/x"}) {
    CAPTURE(url);
    CHECK(IsLocalHttpUrl(url));
  }
  for (const char* url : {"",
                          "http://",
                          "http://127.0.0.1",
                          "https://127.0.0.1/x",
                          "http://10.0.0.1/x",
                          "http://168.254.169.254/x",
                          "http://169.255.0.1/x",
                          "http://example.com/x",
                          "http://127.0.0.1.example.com/x",
                          "http://localhost.example.com/x",
                          "http://127.1/x",
                          "http://127.00.0.1/x",
                          "http://me@127.0.0.1/x",
                          "http://127.0.0.1:/x",
                          "http://127.0.0.1:99999/x",
                          "http://2130706433/x",
                          "http://127.0.0.256/x",
                          "http://127.0.0.1@10.0.0.1/x",
                          "http://127.0.0.1:0/x",
                          "http://127.0.0.1/x?y",
                          "http://127.0.0.1/x#y",
                          "http://127.0.0.1/x y",
                          "http://127.0.0.1\\@10.0.0.1/x",
                          "http://[::2]/x",
                          "http://0127.0.0.1.5/x"}) {
    CAPTURE(url);
    CHECK_FALSE(IsLocalHttpUrl(url));
  }
}
