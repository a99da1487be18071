#include "sidecar/ledger/start.h"

int main(int argc, char** argv) { return sidecar::ledger::RunLedger(argc, argv); }
