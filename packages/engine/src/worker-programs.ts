import { dirname, join } from 'node:path'
import type { EngineOptions } from './interface.ts'

/** The programs of the engine's worker threads. */
export interface WorkerPrograms {
  readonly files: string | URL
  readonly logs: string | URL
  readonly names: string | URL
  readonly relay: string | URL
}

/** The shipped programs lie beside engine-shim; an engine that runs from its sources runs theirs. */
export function workerPrograms({ shimProgram }: Pick<EngineOptions, 'shimProgram'>): WorkerPrograms {
  // Put in by the bundler.
  if (process.env.ENGINE_VERSION !== undefined) {
    return { files: join(dirname(shimProgram), 'layer-worker.cjs'), logs: join(dirname(shimProgram), 'log-worker.cjs'), names: join(dirname(shimProgram), 'name-worker.cjs'), relay: join(dirname(shimProgram), 'relay-worker.cjs') }
  }
  return { files: new URL('worker/main.ts', import.meta.resolve('@engine/image')), logs: new URL('logs/worker.ts', import.meta.url), names: new URL('dns/worker.ts', import.meta.resolve('@engine/network')), relay: new URL('ports/relay/worker.ts', import.meta.resolve('@engine/network')) }
}
