import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AT_FDCWD } from './at-flags.ts'
import { makeDevice, splitDevice, utimensat } from './file-at.ts'

test('file times before 1970 round towards the past; what no file system can hold is refused', () => {
  const directory = mkdtempSync(join(tmpdir(), 'file-at-'))
  try {
    const path = join(directory, 'file')
    writeFileSync(path, '')
    utimensat(AT_FDCWD, path, 1n, -1_500_000_001n)
    assert.equal(statSync(path, { bigint: true }).mtimeNs, -1_500_000_001n)
    for (const time of [2n ** 63n * 1_000_000_000n, -(2n ** 63n) * 1_000_000_000n - 1n, 10n ** 40n]) {
      assert.throws(() => utimensat(AT_FDCWD, path, 0n, time), { code: 'invalid-argument' }, String(time))
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('device numbers come apart as they were put together', () => {
  for (const [major, minor] of [[0, 0], [1, 3], [259, 70_000], [4095, 1_048_575], [0xffff_ffff, 0xffff_ffff]] as const) {
    assert.deepEqual(splitDevice(makeDevice(major, minor)), { major, minor })
  }
})
