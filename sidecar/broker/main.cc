// purser-broker: decides and holds secrets; no network of its own, no ledger files.
#include "sidecar/broker/start.h"

int main(int argc, char** argv) { return sidecar::broker_role::RunBroker(argc, argv); }
