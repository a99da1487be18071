// test/devtenant/identity_control.h: the control interface's tokens to show to others.
#pragma once
#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// `tenant` must outlive `routes`.
void AddIdentityControl(Routes& routes, Tenant& tenant);

}  // namespace devtenant
