import type { EngineContext } from '../context.ts'
import type { Execs } from '../interface.ts'
import { createExec } from './create.ts'
import { inspectExec, resizeExec } from './inspect.ts'
import { startExec } from './start.ts'

/** The verbs of execs. */
export function execVerbs(engine: EngineContext): Execs {
  return {
    create: (container, request) => createExec(engine, container, request),
    start: (id, options) => startExec(engine, id, options),
    inspect: async (id) => inspectExec(engine, id),
    resize: (id, rows, columns) => resizeExec(engine, id, rows, columns),
  }
}
