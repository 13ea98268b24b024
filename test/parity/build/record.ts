/*
 * Records what Docker's builder (BuildKit) makes of every case: node test/parity/build/record.ts, with DOCKER_HOST set to a Docker Engine
 * and a busybox tar as argument. Writes recorded.json beside this file.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { busyboxTar } from '../../harness/images.ts'
import { cases } from './cases.ts'
import { configOf, difference, treeOf, writeContext, type Tree } from './tree.ts'

const base = mkdtempSync(join(tmpdir(), 'record-'))
const docker = (args: readonly string[], input?: Buffer): Buffer => execFileSync('docker', args, { input, maxBuffer: 1 << 28, env: { ...process.env, DOCKER_BUILDKIT: '1' }, stdio: ['pipe', 'pipe', 'inherit'] })
docker(['import', '-c', 'CMD ["sh"]', '-', 'parity-busybox'], busyboxTar())

const build = (name: string, ...more: readonly string[]): Buffer => {
  const one = cases[name] ?? { dockerfile: 'FROM parity-busybox' }
  const directory = writeContext(base, one)
  const args = Object.entries(one.args ?? {}).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`])
  const labels = Object.entries(one.labels ?? {}).flatMap(([key, value]) => ['--label', `${key}=${value}`])
  return docker(['buildx', 'build', '-q', '--network', 'none', ...args, ...labels, ...(one.target === undefined ? [] : ['--target', one.target]), ...more, directory])
}
const bottom = treeOf(build('', '--output', 'type=tar,dest=-'))
const file = join(import.meta.dirname, 'recorded.json')
const recorded = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Record<string, { readonly config: unknown; readonly tree: Tree }>
// What is recorded already stays: take a case out of the file to record it again.
for (const name of Object.keys(cases).filter((candidate) => recorded[candidate] === undefined)) {
  try {
    const tree = treeOf(build(name, '--output', 'type=tar,dest=-'))
    build(name, '--load', '-t', 'parity-case')
    const [image] = JSON.parse(docker(['image', 'inspect', 'parity-case']).toString()) as { Config: Record<string, unknown> }[]
    recorded[name] = { config: configOf(image?.Config ?? {}), tree: difference(tree, bottom) }
    write()
  } catch (error) {
    process.exitCode = 1
    process.stderr.write(`${name}: ${String(error)}\n`)
  }
}
docker(['rmi', '-f', 'parity-case', 'parity-busybox'])
rmSync(base, { recursive: true })

function write(): void {
  const lines = Object.entries(recorded).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
  writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`)
}
