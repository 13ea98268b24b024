import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { openContext } from '../../packages/cli/src/build-context/context.ts'
import { busyboxTar } from '../harness/images.ts'
import { openTestEngine, type TestEngine } from '../harness/engine.ts'
import { cases, type BuildCase } from './build/cases.ts'
import { configOf, difference, treeOf, writeContext, type Tree } from './build/tree.ts'

const recorded = z
  .record(z.string(), z.object({ config: z.record(z.string(), z.unknown()), tree: z.record(z.string(), z.string()) }))
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'build/recorded.json'), 'utf8')))

/** What Docker's BuildKit made of the same contexts, recorded by build/record.ts. */
describe('a build makes what BuildKit makes', () => {
  let fixture: TestEngine
  let directory = ''
  let bottom: Tree = {}
  const cleanups: (() => Promise<void>)[] = []

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'parity-build-'))
    fixture = await openTestEngine({ after: (work) => void cleanups.push(work) })
    for await (const _ of fixture.engine.images.import(Readable.from([busyboxTar()]), { repository: 'parity-busybox', tag: 'latest', message: '', changes: ['CMD ["sh"]'] }, new AbortController().signal));
    bottom = treeOf(await files((await fixture.engine.images.inspect('parity-busybox')).Id))
  })
  after(async () => {
    for (const work of cleanups.toReversed()) await work()
    rmSync(directory, { recursive: true, force: true })
  })

  async function files(image: string): Promise<Buffer> {
    await using open = await fixture.engine.builds.files(image)
    const chunks: Buffer[] = []
    for await (const chunk of open.tar) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  }

  async function build(one: BuildCase): Promise<string> {
    const context = writeContext(directory, one)
    // As the command line does: what .dockerignore leaves out is not sent.
    const { archive } = await openContext(context, undefined, Readable.from([]))
    assert.ok(archive)
    let id = ''
    const options = {
      tags: [], dockerfile: 'Dockerfile', buildArgs: one.args ?? {}, labels: one.labels ?? {}, noCache: false, quiet: false, remove: true, forceRemove: true,
      target: one.target ?? '', platform: '', networkMode: 'none', extraHosts: [], cacheFrom: [],
    }
    for await (const line of fixture.engine.images.build(archive, options, new AbortController().signal)) {
      if (typeof line['error'] === 'string') throw new Error(line['error'])
      id = (line['aux'] as { ID?: string } | undefined)?.ID ?? id
    }
    return id
  }

  it('for at least sixty Dockerfiles', () => assert.ok(Object.keys(recorded).length >= 60))

  for (const [name, one] of Object.entries(cases)) {
    it(name, async () => {
      const expected = recorded[name]
      assert.ok(expected, 'it has not been recorded: test/parity/build/record.ts')
      const id = await build(one)
      assert.deepEqual(difference(treeOf(await files(id)), bottom), expected.tree)
      assert.deepEqual(configOf((await fixture.engine.images.inspect(id)).Config ?? {}), expected.config)
    })
  }
})
