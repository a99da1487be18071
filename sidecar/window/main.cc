// purser-window: reads the bytes of one agent, or of one connection of the admin socket; keeps no
// secret, opens nothing.
#include "sidecar/window/start.h"

int main(int argc, char** argv) { return sidecar::window::RunWindow(argc, argv); }
