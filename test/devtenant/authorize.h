// test/devtenant/authorize.h: the authorization endpoint (RFC 6749 §4.1, RFC 7636).
#pragma once
#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// GET /{tenant}/oauth2/v2.0/authorize shows a page on which a person signs in; its form is posted
/// to the same address and answered with the redirect. Faults do not hit it. Thread-safe.
void AddAuthorizeRoutes(Routes& routes, Tenant& tenant);

}  // namespace devtenant
