#!/usr/bin/env bash
# A job for a throw-away Debian, run in the checkout: npm test with the tests of pure code, and how long they take.
set -u
. "$(dirname "$0")/check.sh"

check 'tests of pure code' timed npm test -- $(git ls-files 2>/dev/null 'packages/*.test.ts' || find packages -name '*.test.ts' -not -path '*/node_modules/*')
finish
