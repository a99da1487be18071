#!/bin/sh
# Rotates under load while the broker is killed again and again, for ROUNDS rounds of KILLS kills.
# Not among the tests: a round takes half a minute.
set -eu
here=$(dirname "$0")
for round in $(seq "${ROUNDS:-10}"); do
  echo "round $round"
  PURSER_KILLS=${KILLS:-25} python3 "$here/rotation_test.py" -k dies
done
