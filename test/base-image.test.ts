import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

test('the base image that npm start makes is there for every user, whatever the umask', () => {
  const directory = mkdtempSync(join(tmpdir(), 'engine-base-test-'))
  try {
    const file = join(directory, 'base.tar')
    const program = `process.umask(0o077); const { busyboxTar } = await import(${JSON.stringify(join(import.meta.dirname, '../packages/setup/src/steps/base-image.mjs'))}); await busyboxTar(${JSON.stringify(file)})`
    execFileSync(process.execPath, ['--input-type=module', '-e', program])
    const modes = new Map(execFileSync('tar', ['-tvf', file], { encoding: 'utf8' }).trim().split('\n').map((line) => [line.split(/ +/)[5], `${line.slice(0, 10)} ${line.split(/ +/)[1]}`]))
    assert.deepEqual(
      ['./', './bin/', './bin/busybox', './etc/passwd', './tmp/', './root/'].map((name) => modes.get(name)),
      ['drwxr-xr-x 0/0', 'drwxr-xr-x 0/0', '-rwxr-xr-x 0/0', '-rw-r--r-- 0/0', 'drwxrwxrwt 0/0', 'drwx------ 0/0'],
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
