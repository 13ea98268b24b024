import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'node:test'
import type { RunConfig } from '@engine/image'
import { Semaphore } from '@engine/linux/semaphore'
import { understand } from '../dockerfile/understand.ts'
import { BuildOutput, type BuildLine } from '../output.ts'
import { solve, type SolveOptions } from '../solve.ts'
import type { Build } from '../steps/step.ts'
import { RecordingExecutor } from './recording-executor.ts'

/** Solves Dockerfiles with an executor that records, which each test gets anew with an image `base`. */
export interface SolveFixture {
  readonly executor: RecordingExecutor
  /** Of the last build. */
  readonly lines: readonly BuildLine[]
  /** @returns the image's id */
  build(dockerfile: string, options?: Partial<SolveOptions>, changed?: Partial<Build>): Promise<string>
  /** The stream's text, ids replaced. */
  text(): string
  /** What made an image, from the first on. */
  history(id: string): string[]
  config(id: string): RunConfig | undefined
}

export function solveFixture(): SolveFixture {
  let base = ''
  let executor: RecordingExecutor
  let lines: BuildLine[] = []
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'solve-'))
    executor = new RecordingExecutor(base)
    executor.add('base', { Cmd: ['sh'], Env: ['PATH=/bin'] })
  })
  afterEach(() => rmSync(base, { recursive: true }))
  const fixture: SolveFixture = {
    get executor() {
      return executor
    },
    get lines() {
      return lines
    },
    async build(dockerfile, options = {}, changed = {}) {
      lines = []
      executor.calls.length = 0
      const output = new BuildOutput((line) => void lines.push(line))
      const { image } = await solve(understand(dockerfile), { target: '', buildArgs: {}, labels: {}, ...options }, {
        executor, output, unpack: async () => undefined, scratch: base, signal: new AbortController().signal, context: undefined,
        escape: '\\', platform: '', useCache: true, remove: 'success', tellWhy: false, expectCached: false, made: new Map(), gate: new Semaphore(2),
        contexts: new Map(), inputs: { secrets: new Map(), agents: new Map() }, entitlements: new Set(), epoch: undefined, hostname: 'h', hostnameCounts: false, cacheNamespace: '', ...changed,
      })
      return image
    },
    text: () => lines.map((line) => (line['stream'] as string | undefined) ?? '').join('').replace(/\b[0-9a-f]{12}\b/g, '<id>'),
    history(id) {
      const image = executor.images.get(id)
      return image === undefined ? [] : [...fixture.history(image.parent), image.createdBy]
    },
    config: (id) => executor.images.get(id)?.config,
  }
  return fixture
}
