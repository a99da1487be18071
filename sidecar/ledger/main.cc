// purser-ledger: writes the ledger's files, and serves their reading; no secrets, no network.
#include "sidecar/ledger/start.h"

int main(int argc, char** argv) { return sidecar::ledger::RunLedger(argc, argv); }
