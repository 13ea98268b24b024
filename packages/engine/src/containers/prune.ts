import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import type { Filters } from '../interface.ts'
import { matchesLabel } from '../events/filter.ts'
import { untilFilter } from '../until-filter.ts'
import { refuseUnknownFilters } from './list-filter.ts'
import { removeContainer } from './remove.ts'
import { sizes } from './size.ts'
import { isRunning } from './state.ts'

const known = new Set(['label', 'label!', 'until'])
const pruning = new WeakSet<EngineContext>()

/**
 * Removes every container that is not running and that the filters choose: `until` (created before), `label`, `label!`.
 * @throws EngineError conflict while another prune runs
 */
export async function pruneContainers(engine: EngineContext, filters: Filters): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }> {
  refuseUnknownFilters(filters, known)
  const until = untilFilter(filters)
  if (pruning.has(engine)) throw new EngineError('conflict', 'a prune operation is already running')
  pruning.add(engine)
  try {
    const deleted: string[] = []
    let space = 0
    // Newest first.
    for (const container of engine.containers.all().toReversed()) {
      const { Labels } = container.record.config
      if (isRunning(container.state) || container.removing) continue
      if (until !== undefined && container.record.createdNs > until) continue
      if (!(filters.get('label') ?? []).every((label) => matchesLabel(Labels, label))) continue
      if ((filters.get('label!') ?? []).some((label) => matchesLabel(Labels, label))) continue
      const { SizeRw } = await sizes(engine, container)
      // It may have been started while its size was counted.
      if (isRunning(container.state) || container.removing) continue
      await removeContainer(engine, container, { force: false, volumes: false })
      space += SizeRw
      deleted.push(container.id)
    }
    engine.events.publish('container', 'prune', '', { reclaimed: String(space) })
    return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: space }
  } finally {
    pruning.delete(engine)
  }
}
