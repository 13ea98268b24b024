import { fileURLToPath } from 'node:url'

/**
 * How esbuild bundles the command line: one file, in which modules of commands that are not called stay unevaluated. code-cache.mjs
 * makes the result quicker to start.
 * @param {string} outfile
 * @returns {import('esbuild').BuildOptions}
 */
export function commandLineBundle(outfile) {
  return {
    entryPoints: [fileURLToPath(new URL('../main.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minify: true,
    legalComments: 'none',
    // Has a binary; only what reads extended attributes asks for it.
    external: ['koffi'],
    plugins: [withoutSideEffects],
  }
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
