// purser-dialer: the only process with a network, and that to listed hosts alone.
#include "sidecar/dialer/start.h"

int main(int argc, char** argv) { return sidecar::dialer::RunDialer(argc, argv); }
