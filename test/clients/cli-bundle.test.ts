import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'

interface Bundle {
  readonly metafile: { readonly inputs: Readonly<Record<string, unknown>> }
  readonly outputFiles: readonly { readonly text: string }[]
}
interface Esbuild {
  build(options: object): Promise<Bundle>
}

const root = join(import.meta.dirname, '../..')

describe('the bundle of the command line', () => {
  it('holds nothing that starts slowly', async () => {
    const { build } = createRequire(join(root, 'package.json'))('esbuild') as Esbuild
    const { commandLineBundle } = await import(join(root, 'packages/cli/src/bundle/options.mjs')) as { commandLineBundle(outfile: string): object }
    const { metafile, outputFiles: [output] } = await build({ ...commandLineBundle('engine.cjs'), write: false, metafile: true, absWorkingDir: root })
    const foreign = Object.keys(metafile.inputs).filter((path) => !path.startsWith('packages/cli/') && !path.startsWith('packages/api/src/'))
    // What reads extended attributes is evaluated when a build sends a file, and not before.
    assert.deepEqual(foreign.filter((path) => !path.startsWith('packages/linux/src/')), [])
    assert.ok(foreign.length <= 10, foreign.join())
    assert.doesNotMatch(output?.text ?? '', /node:http|zod|undici/)
    assert.ok((output?.text.length ?? Infinity) < 400_000)
    const alone = mkdtempSync(join(tmpdir(), 'engine-bundle-'))
    try {
      // Here is no koffi to be found.
      writeFileSync(join(alone, 'engine.cjs'), output?.text ?? '')
      writeFileSync(join(alone, 'Dockerfile'), 'FROM scratch\n')
      assert.match(execFileSync(process.execPath, [join(alone, 'engine.cjs'), 'build', '--context-ls', alone], { encoding: 'utf8' }), /\+ Dockerfile/)
    } finally {
      rmSync(alone, { recursive: true })
    }
  })
})
