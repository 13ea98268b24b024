import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const packages = join(import.meta.dirname, '../packages')

/** Who may import whom: packages of ours, then packages of npm. What is not listed is forbidden. docs/architecture.md draws it. */
const allowed: Readonly<Record<string, readonly [own: readonly string[], npm: readonly string[]]>> = {
  linux: [[], ['koffi']],
  runtime: [['linux'], []],
  image: [['linux'], ['undici', 'zod']],
  network: [['linux'], ['dns-packet']],
  build: [['image', 'linux'], []],
  engine: [['build', 'image', 'linux', 'network', 'runtime'], ['better-sqlite3', 'yaml', 'zod']],
  api: [[], ['zod']],
  daemon: [['api', 'engine', 'linux'], ['fastify', 'pino', 'prom-client', 'zod']],
  cli: [['api', 'linux'], []],
}

/** Files of a package, tests apart: those may use fast-check and what they test with. */
function sources(name: string): string[] {
  return readdirSync(join(packages, name, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('/testing/'))
    .map((file) => join(packages, name, 'src', file))
}

/** What a file imports that is not its own package's: `from 'x'`, `import('x')`, `require('x')`. */
function imports(file: string): { readonly specifier: string; readonly typeOnly: boolean }[] {
  const text = readFileSync(file, 'utf8')
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gms), ...text.matchAll(/\b(?:import|require|getBuiltinModule)\((type\s)?['"]([^'"]+)['"]\)/g)]
  return found.map((match) => ({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined })).filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
}

describe('packages', () => {
  for (const [name, [own, npm]] of Object.entries(allowed)) {
    it(`${name} imports only what lies below it`, () => {
      for (const file of sources(name)) {
        for (const { specifier } of imports(file)) {
          const [scope = '', second = ''] = specifier.split('/')
          const isOwn = scope === '@engine'
          if (isOwn) assert.ok(own.includes(second), `${file} imports ${specifier}`)
          else if (/^[a-z]/.test(scope) && !specifier.includes(':')) assert.ok(npm.includes(scope), `${file} imports ${specifier}`)
        }
      }
    })

    it(`${name} declares exactly what it imports`, () => {
      const manifest: unknown = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'))
      assert.ok(typeof manifest === 'object' && manifest !== null && 'dependencies' in manifest && typeof manifest.dependencies === 'object' && manifest.dependencies !== null)
      const used = new Set(sources(name).flatMap((file) => imports(file).map(({ specifier }) => (specifier.startsWith('@engine/') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0] ?? ''))))
      for (const dependency of used) assert.ok(dependency in manifest.dependencies, `${name} imports ${dependency} without declaring it`)
    })
  }

  it('are imported by their names, never by their files', () => {
    for (const name of Object.keys(allowed)) {
      for (const file of sources(name)) assert.doesNotMatch(readFileSync(file, 'utf8'), /from '(\.\.\/)+(packages\/)?[a-z]+\/src\//, file)
    }
  })

  it('cli takes from api the client and types only', () => {
    for (const file of sources('cli')) {
      for (const { specifier, typeOnly } of imports(file)) {
        if (specifier.startsWith('@engine/api')) assert.ok(specifier === '@engine/api/client' || typeOnly, `${file} imports ${specifier}`)
      }
    }
  })
})

describe('source files', () => {
  it('stay below 500 lines', () => {
    for (const name of Object.keys(allowed)) {
      for (const file of sources(name)) {
        const lines = readFileSync(file, 'utf8').split('\n').length
        assert.ok(lines <= 500, `${file} has ${lines} lines`)
      }
    }
  })
})
