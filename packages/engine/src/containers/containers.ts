import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import type { Containers } from '../interface.ts'
import { readArchive, statArchive, writeArchive } from './archive.ts'
import { exportContainer } from './export.ts'
import { attachContainer, containerLogs } from './attach.ts'
import { containerChanges } from './changes.ts'
import { createContainer } from './create.ts'
import { inspectContainer } from './inspect.ts'
import { kill } from './kill.ts'
import { listContainers } from './list.ts'
import { pauseContainer, unpauseContainer } from './pause.ts'
import { pruneContainers } from './prune.ts'
import { removeContainerByRef } from './remove.ts'
import { renameContainer } from './rename.ts'
import { resizeContainer } from './resize.ts'
import { startContainer } from './start.ts'
import { restartContainer, stopContainer } from './stop.ts'
import { top } from './top.ts'
import { containerStats } from './stats.ts'
import { updateContainer } from './update.ts'
import { waitContainer } from './wait.ts'

/** The verbs of containers. */
export function containerVerbs(engine: EngineContext): Containers {
  return {
    list: (options) => listContainers(engine, options),
    create: (request) => createContainer(engine, request),
    inspect: (ref, options) => inspectContainer(engine, ref, options),
    start: (ref) => startContainer(engine, ref),
    stop: (ref, options) => stopContainer(engine, ref, options),
    restart: (ref, options) => restartContainer(engine, ref, options),
    kill: (ref, signal) => kill(engine, ref, signal),
    pause: (ref) => pauseContainer(engine, ref),
    unpause: (ref) => unpauseContainer(engine, ref),
    rename: (ref, name) => renameContainer(engine, ref, name),
    wait: (ref, condition, signal) => waitContainer(engine, ref, condition, signal),
    remove: (ref, options) => removeContainerByRef(engine, ref, options),
    update: (ref, change) => updateContainer(engine, ref, change),
    stats: (ref, options, signal) => containerStats(engine, ref, options, signal),
    top: (ref, psArgs) => top(engine, ref, psArgs),
    logs: (ref, options, framing, signal) => containerLogs(engine, ref, options, framing, signal),
    attach: (ref, options) => attachContainer(engine, ref, options),
    resize: (ref, rows, columns) => resizeContainer(engine, ref, rows, columns),
    prune: (filters) => pruneContainers(engine, filters),
    statArchive: (ref, path) => statArchive(engine, ref, path),
    export: (ref) => exportContainer(engine, ref),
    readArchive: (ref, path) => readArchive(engine, ref, path),
    writeArchive: (ref, path, tar, options, signal) => writeArchive(engine, ref, path, tar, options, signal),
    changes: (ref) => containerChanges(engine, ref),
    async explain(ref) {
      return engine.ledger.entries(explained(engine, ref))
    },
  }
}

/** A container that is there, or one that was. @throws EngineError not-found when the ledger knows none either */
function explained(engine: EngineContext, ref: string): string {
  try {
    return engine.containers.find(ref).id
  } catch (error) {
    const id = error instanceof EngineError && error.code === 'not-found' ? engine.ledger.find(ref) : undefined
    if (id === undefined) throw error
    return id
  }
}
