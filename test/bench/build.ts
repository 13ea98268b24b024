import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { dist } from '../harness/daemon.ts'
import { interleaved, median } from './measure.ts'

const files = 2000
const bytesOfFile = 27_000

/** One way to build the context, by a command line, as a user would. */
interface Builder {
  readonly program: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Ten steps over a context of 2,000 files and 54 MB, by three builders in turns: nothing cached, everything, and one file changed. Both
 * engines must have an image `bench-busybox`.
 * @param host   our daemon's address
 * @param docker Docker's; without one only our own times are told
 */
export async function benchBuild(host: string, docker: string | undefined, rounds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'engine-bench-'))
  try {
    const context = join(directory, 'context')
    writeContext(context)
    const builders = buildersOf(host, docker)
    const build = (builder: Builder, args: readonly string[]): Promise<void> => command([...builder.program, '-q', '-t', 'bench-build', ...args, context], builder.environment)
    const inTurns = async (what: string, args: readonly string[], before: () => void = () => undefined): Promise<void> => {
      const times: Record<string, number[]> = {}
      for (let round = -1; round < rounds; round++) {
        before()
        // The classic builder takes its time and nothing is wanted of it: once is enough, and once so that its cache is filled.
        const taking = Object.entries(builders).filter(([name]) => name !== 'classic' || round <= 0)
        const subjects = Object.fromEntries(taking.map(([name, builder]) => [name, () => build(builder, args)]))
        for (const [name, [time]] of Object.entries(await interleaved(subjects, 1, 0))) if (round >= 0) (times[name] ??= []).push(time as number)
      }
      tell(what, times)
    }
    await inTurns('build, nothing cached', ['--no-cache'])
    await inTurns('build, all cached', [])
    await inTurns('build, one file changed', [], () => writeFileSync(join(context, 'ctx/d0/changed'), randomBytes(8)))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function writeContext(context: string): void {
  const run = (step: number): string => `RUN echo step${step} > /step${step}`
  for (let at = 0; at < files; at++) {
    const place = join(context, `ctx/d${at % 40}`)
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, `f${at}`), randomBytes(bytesOfFile))
  }
  const lines = ['FROM bench-busybox', ...[1, 2, 3, 4].map(run), 'COPY ctx /ctx', ...[5, 6, 7, 8].map(run), 'ENV A=b']
  writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`)
}

function buildersOf(host: string, docker: string | undefined): Record<string, Builder> {
  const engine: Builder = { program: [join(dist, 'bin/node'), '--', join(dist, 'engine.cjs'), '--host', host, 'build'], environment: {} }
  if (docker === undefined) return { engine }
  const environment = { DOCKER_HOST: docker }
  const classic: Builder = { program: ['docker', 'build'], environment: { ...environment, DOCKER_BUILDKIT: '0' } }
  const buildKit: Builder = { program: ['docker', 'buildx', 'build', '--load'], environment }
  return { engine, ...(hasBuildx() ? { BuildKit: buildKit } : {}), classic }
}

function hasBuildx(): boolean {
  const configured = process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker')
  return [configured, '/usr/local/lib/docker', '/usr/local/libexec/docker', '/usr/lib/docker', '/usr/libexec/docker'].some((place) => existsSync(join(place, 'cli-plugins/docker-buildx')))
}

function command([program = '', ...args]: readonly string[], environment: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...environment } })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ${args.join(' ')}: ${code} ${said.slice(-1000)}`))))
  })
}

/** Medians of all builders, and what ours is of each other's. */
function tell(what: string, times: Readonly<Record<string, readonly number[]>>): void {
  const own = median(times['engine'] ?? [])
  const parts = Object.entries(times).map(([name, all]) => {
    const time = median(all)
    return `${name} ${time.toFixed(0)} ms${name === 'engine' ? '' : ` (ratio ${(own / time).toFixed(2)}${name === 'BuildKit' ? ', wanted: at most 0.8' : ''})`}`
  })
  process.stdout.write(`${what.padEnd(28)} ${parts.join('   ')}\n`)
}
