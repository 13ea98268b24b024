import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, transform } from 'esbuild'

/**
 * Bundles the command line into one CommonJS file.
 *
 * Each module that is loaded on demand (every command, help, templates) and what several of them share stands in the file as text, and
 * is compiled when it is first required: parsing all of the 140 kB for each `engine ps` would take 7 ms of processor time, passing over
 * them as strings takes one.
 *
 * @param {string} outfile
 * @returns {Promise<import('esbuild').Metafile>} what went in, for tests of what may
 */
export async function bundleCli(outfile) {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../main.ts', import.meta.url))],
    outdir: 'out',
    bundle: true,
    splitting: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    legalComments: 'none',
    metafile: true,
    plugins: [withoutSideEffects],
  })
  const modules = await Promise.all(outputFiles.map(async ({ path, text }) => {
    const { code } = await transform(text, { format: 'cjs', platform: 'node', target: 'node24', minify: true, supported: { 'dynamic-import': false } })
    return [`./${basename(path)}`, code.trim()]
  }))
  writeFileSync(outfile, `'use strict'\n${loader(Object.fromEntries(modules), './main.js')}`)
  return metafile
}

/** @param {Record<string, string>} modules @param {string} entry */
function loader(modules, entry) {
  return `const sources = ${JSON.stringify(modules, undefined, 1)}
const loaded = {}
function load(id) {
  if (!Object.hasOwn(sources, id)) return require(id)
  if (loaded[id]) return loaded[id].exports
  const module = (loaded[id] = { exports: {} })
  new Function('require', 'module', 'exports', sources[id] + '\\n//# sourceURL=engine/' + id.slice(2))(load, module, module.exports)
  return module.exports
}
load(${JSON.stringify(entry)})
`
}

/** The command takes a few functions of the API's client; what else is in those modules (node:http) is left out of the bundle. */
const withoutSideEffects = {
  name: 'without-side-effects',
  setup(/** @type {import('esbuild').PluginBuild} */ plugin) {
    plugin.onResolve({ filter: /./ }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === 'seen' || rest.kind === 'entry-point') return undefined
      const found = await plugin.resolve(path, { ...rest, pluginData: 'seen' })
      return found.path.includes('/packages/api/') ? { ...found, sideEffects: false } : undefined
    })
  },
}
