import type { FileWorkers, TarLimits } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { IdMappings } from '@engine/linux/id-mappings'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { booleanFilter, passesLabels } from '../filters.ts'
import type { Filters, Volumes, VolumeView } from '../interface.ts'
import { pruneVolumes } from './prune.ts'
import type { VolumeStore } from './volume-store.ts'

const known = new Set(['dangling', 'driver', 'label', 'name'])

/** What the verbs work with. */
export interface VolumeParts {
  readonly store: VolumeStore
  /** Threads for work at a client's pace. */
  readonly transfers: FileWorkers
  /** What archives may be like. */
  readonly limits: TarLimits
  /** Ids of the containers that have a volume, running or not. */
  readonly users: (name: string) => readonly string[]
  /** Host's ids of the root of containers. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** What containers' ids are on the host; undefined when they are the same. */
  readonly ids: IdMappings | undefined
  /** Tells of a prune. @param reclaimed bytes */
  readonly publish: (reclaimed: number) => void
}

/** The verbs of volumes. */
export function volumeVerbs(parts: VolumeParts): Volumes {
  const { ids, limits, store, transfers, users } = parts
  const refuseInUse = (verb: string, name: string): void => {
    const holders = users(name)
    if (holders.length > 0) throw new EngineError('conflict', `${verb} ${name}: volume is in use - [${holders.join(', ')}]`)
  }
  return {
    async list(filters) {
      const passes = volumeFilter(filters, users)
      return { Volumes: store.all().filter(passes), Warnings: null }
    },
    inspect: async (name) => store.inspect(name),
    create: (options) => store.create({ name: options.Name, driver: options.Driver, options: options.DriverOpts, labels: options.Labels, owner: parts.owner }),
    async remove(name, force) {
      try {
        await store.remove(name, () => refuseInUse('remove', name))
      } catch (error) {
        if (!(force && error instanceof EngineError && error.code === 'not-found')) throw error
      }
    },
    prune: (filters) => pruneVolumes(parts, filters),
    async usage() {
      return await Promise.all(store.all().map(async (volume) => ({ ...volume, UsageData: { Size: await store.usage(volume.Name), RefCount: users(volume.Name).length } })))
    },
    rename: (name, to) => store.rename(name, to, () => refuseInUse('rename', name)),
    clone: (name, to, labels) => store.clone(name, to, labels),
    async read(name) {
      store.inspect(name)
      return await new Promise((resolve, reject) => {
        const work = async (): Promise<void> => {
          const tar = transfers.stream({ kind: 'stream', directory: store.mountpoint(name), archive: 'archive', ids })
          const over = new Promise<void>((closed) => tar.once('close', closed))
          resolve(tar)
          await over
        }
        store.using(name, 'export', work).catch(reject)
      })
    },
    async write(name, tar, signal) {
      await store.using(name, 'import', async () => {
        const view = { root: store.mountpoint(name), mounts: [], readOnlyRoot: false, ids }
        await transfers.feed({ kind: 'view-extract', view, path: '/', options: { keepKinds: false, root: true, limits } }, tar, signal)
      })
    },
  }
}

function volumeFilter(filters: Filters, users: (name: string) => readonly string[]): (volume: VolumeView) => boolean {
  refuseUnknownFilters(filters, known)
  const dangling = booleanFilter(filters, 'dangling')
  const drivers = filters.get('driver') ?? []
  const names = filters.get('name') ?? []
  return ({ Name: name, Driver: driver, Labels: labels }) =>
    (dangling === undefined || (users(name).length === 0) === dangling) &&
    (drivers.length === 0 || drivers.includes(driver)) &&
    (names.length === 0 || names.some((wanted) => name.includes(wanted))) &&
    passesLabels(filters, labels ?? {})
}
