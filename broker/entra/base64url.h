// broker/entra/base64url.h: base64url under the name that this folder knows it by.
#pragma once
#include "broker/base/base64.h"

namespace broker::entra {

using broker::Base64UrlDecode;
using broker::Base64UrlEncode;

}  // namespace broker::entra
