import { EngineError } from '@engine/linux'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { booleanFilter, passesLabels } from '../filters.ts'
import type { Filters, Volumes, VolumeView } from '../interface.ts'
import type { VolumeStore } from './volume-store.ts'

const known = new Set(['dangling', 'driver', 'label', 'name'])

/** The verbs of volumes. @param users ids of the containers that have a volume mounted, running or not */
export function volumeVerbs(store: VolumeStore, users: (name: string) => readonly string[]): Volumes {
  return {
    async list(filters) {
      const passes = volumeFilter(filters, users)
      return { Volumes: store.all().filter(passes), Warnings: null }
    },
    inspect: async (name) => store.inspect(name),
    create: (options) => store.create({ name: options.Name, driver: options.Driver, options: options.DriverOpts, labels: options.Labels }),
    async remove(name, force) {
      const holders = users(name)
      if (holders.length > 0) throw new EngineError('conflict', `remove ${name}: volume is in use - [${holders.join(', ')}]`)
      try {
        await store.remove(name)
      } catch (error) {
        if (!(force && error instanceof EngineError && error.code === 'not-found')) throw error
      }
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
