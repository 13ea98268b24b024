import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { engine, engineOk } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { makeImage, putImage, startRegistry, type TestRegistry } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: TestRegistry
let directory = ''
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'build-pull-'))
  registry = await startRegistry()
  await putImage(registry.url, 'some/base', '1', makeImage([busyboxTar()]))
  daemon = await startDaemon()
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

test('a build gets the images that FROM and --from name', async () => {
  writeFileSync(join(directory, 'Dockerfile'), `FROM ${registry.host}/some/base:1\nCOPY --from=${registry.host}/some/base:1 /bin/sh /other\nRUN ls /other\n`)
  const first = await engineOk(daemon.host, 'build', '--progress', 'classic', '--network', 'none', directory)
  assert.match(first, /Status: Downloaded newer image/)
  assert.match(first, /\n\/other\n/)
  const second = await engineOk(daemon.host, 'build', '--progress', 'classic', '--network', 'none', directory)
  assert.doesNotMatch(second, /Status:/)
  const again = await engineOk(daemon.host, 'build', '--progress', 'classic', '--network', 'none', '--pull', directory)
  assert.match(again, /Status: Image is up to date/)
  writeFileSync(join(directory, 'Dockerfile'), `FROM ${registry.host}/some/nothing\n`)
  const missing = await engine(daemon.host, 'build', directory)
  assert.equal(missing.status, 1)
  assert.match(missing.stderr, /nothing/)
})
