import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { engine, engineOk } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A container's root must not change files of the host's that it has in sight: /dev/null masks files, and is the standard input of who has none. */
describe('the host’s /dev/null', () => {
  let daemon: TestDaemon
  let container = ''
  const directory = mkdtempSync(join(tmpdir(), 'engine-devices-'))

  before(async () => {
    daemon = await startDaemon()
    writeFileSync(join(directory, 'busybox.tar'), busyboxTar())
    await engineOk(daemon.host, 'import', join(directory, 'busybox.tar'), 'busybox')
    container = (await engineOk(daemon.host, 'run', '-d', '--network', 'none', 'busybox', 'sleep', '1000')).trim()
  })

  after(async () => {
    rmSync(directory, { recursive: true, force: true })
    await daemon?.[Symbol.asyncDispose]()
  })

  // The mode that it has anyway, so that a test that fails does no harm.
  for (const path of ['/proc/keys', '/proc/self/fd/0', '/proc/1/fd/0']) {
    it(`keeps its mode under the name ${path}`, async () => {
      const script = `chmod 666 ${path}; stat -L -c %t:%T:%a ${path}`
      for (const args of [['run', '--rm', '--network', 'none', 'busybox'], ['exec', container]]) {
        const { stdout, stderr } = await engine(daemon.host, ...args, 'sh', '-c', script)
        assert.match(stderr, /Read-only file system/)
        assert.equal(stdout, '1:3:666\n')
      }
    })
  }

  it('reads and writes as ever', async () => {
    assert.equal(await engineOk(daemon.host, 'exec', container, 'sh', '-c', 'cat | wc -c; cat /dev/stdin | wc -c; cat /proc/keys | wc -c; echo x >/proc/keys && echo done'), '0\n0\n0\ndone\n')
  })
})
