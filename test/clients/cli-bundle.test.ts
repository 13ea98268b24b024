import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
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
    assert.deepEqual(foreign, [])
    assert.doesNotMatch(output?.text ?? '', /node:http|zod|undici|koffi/)
    assert.ok((output?.text.length ?? Infinity) < 400_000)
  })
})
