import { EngineError } from '@engine/linux'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { passesLabels } from '../filters.ts'
import type { Filters } from '../interface.ts'
import type { VolumeParts } from './volumes.ts'

const known = new Set(['all', 'label', 'label!'])
const pruning = new WeakSet<VolumeParts['store']>()

/**
 * Removes volumes that no container has: those without a name of their own, with `all` the others too.
 * @throws EngineError conflict while another prune runs
 */
export async function pruneVolumes({ store, users, publish }: VolumeParts, filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }> {
  refuseUnknownFilters(filters, known)
  const all = allFilter(filters)
  if (pruning.has(store)) throw new EngineError('conflict', 'a prune operation is already running')
  pruning.add(store)
  try {
    const deleted: string[] = []
    let space = 0
    for (const { Name: name, Labels: labels } of store.all()) {
      if ((!all && !store.isAnonymous(name)) || !passesLabels(filters, labels ?? {}) || users(name).length > 0) continue
      try {
        const size = await store.usage(name)
        await store.remove(name, () => {
          if (users(name).length > 0) throw new EngineError('conflict', `remove ${name}: volume is in use`)
        })
        space += size
        deleted.push(name)
      } catch (error) {
        // A container has come by it while its size was counted, or somebody has removed it: the others are pruned all the same.
        if (!(error instanceof EngineError && (error.code === 'conflict' || error.code === 'not-found'))) throw error
      }
    }
    publish(space)
    return { VolumesDeleted: deleted, SpaceReclaimed: space }
  } finally {
    pruning.delete(store)
  }
}

/** Go's ParseBool of one value. */
function allFilter(filters: Filters): boolean {
  const [value, second] = filters.get('all') ?? []
  if (value === undefined) return false
  if (second !== undefined) throw new EngineError('invalid-argument', "invalid filter 'all': only one value is expected")
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false
  throw new EngineError('invalid-argument', `invalid filter 'all': strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`)
}
