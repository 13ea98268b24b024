#!/usr/bin/env bash
# A job for a throw-away Debian with systemd and cgroup v2, run in the checkout (README.md beside this file): npm test, as a stranger
# runs it. An emulated processor is 10 to 50 times slower than a real one, so waits are longer in proportion.
set -u
export ENGINE_TEST_PATIENCE=${ENGINE_TEST_PATIENCE:-20}
npm test -- --repeat
