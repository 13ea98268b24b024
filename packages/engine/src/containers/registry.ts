import { EngineError } from '@engine/linux'
import type { ContainersTable } from '../state/containers-table.ts'
import { noSuchContainer, nameTaken } from './errors.ts'
import type { HostConfigView } from '../types/container-config.ts'
import { imageMounts } from './image-mounts.ts'
import type { Container } from './container.ts'

/** All containers there are, by id and by name. Memory answers; every change goes to the database first. */
export class ContainerRegistry {
  readonly #table: ContainersTable
  readonly #byId = new Map<string, Container>()
  readonly #byName = new Map<string, string>()
  /** By the id of a container that is being made: the volumes it will have. */
  readonly #claims = new Map<string, readonly string[]>()

  constructor(table: ContainersTable) {
    this.#table = table
    for (const container of table.all()) {
      this.#byId.set(container.id, container)
      this.#byName.set(container.name, container.id)
    }
  }

  /** In the order of their creation. */
  all(): Container[] {
    return [...this.#byId.values()]
  }

  get(id: string): Container | undefined {
    return this.#byId.get(id)
  }

  /**
   * Finds a container by its id, its name (with or without the slash before it), or the unambiguous beginning of its id.
   * @throws EngineError not-found `No such container: x`, invalid-argument when several ids begin so
   */
  find(ref: string): Container {
    const name = ref.startsWith('/') ? ref.slice(1) : ref
    const exact = this.#byId.get(ref) ?? this.#byId.get(this.#byName.get(name) ?? '')
    if (exact !== undefined) return exact
    if (!/^[0-9a-f]{1,64}$/.test(ref)) throw noSuchContainer(ref)
    let found: Container | undefined
    for (const [id, container] of this.#byId) {
      if (!id.startsWith(ref)) continue
      if (found !== undefined) throw new EngineError('invalid-argument', `Multiple IDs found with provided prefix: ${ref}`)
      found = container
    }
    if (found === undefined) throw noSuchContainer(ref)
    return found
  }

  isNameTaken(name: string): boolean {
    return this.#byName.has(name)
  }

  /**
   * Reserves a name for a container that is being created or renamed, until `release` or its entry replaces it.
   * @throws EngineError conflict in Docker's words
   */
  reserve(name: string, id: string): void {
    const owner = this.#byName.get(name)
    if (owner !== undefined) throw nameTaken(name, owner)
    this.#byName.set(name, id)
  }

  release(name: string, id: string): void {
    if (this.#byName.get(name) === id) this.#byName.delete(name)
  }

  /** Puts a new container, whose name is reserved, into the database; inside the transaction of its creation. */
  insert(container: Container): void {
    this.#table.insert(container)
    this.#byId.set(container.id, container)
  }

  /** Takes back what `insert` did in memory, when the transaction around it failed. */
  forget(container: Container): void {
    this.#byId.delete(container.id)
    this.release(container.name, container.id)
  }

  saveState(container: Container): void {
    this.#table.saveState(container)
  }

  /** Saves which networks it is to be on. */
  saveEndpoints(container: Container): void {
    this.#table.saveEndpoints(container)
  }

  /** Keeps what an update made of a container's HostConfig; inside the transaction that commits it. */
  saveHostConfig(container: Container, host: HostConfigView): void {
    this.#table.saveHostConfig(container.id, host)
    container.record.hostConfig = host
  }

  /** @throws EngineError conflict when the name is taken */
  rename(container: Container, name: string): void {
    this.reserve(name, container.id)
    try {
      this.#table.rename(container.id, name)
    } catch (error) {
      this.release(name, container.id)
      throw error
    }
    this.release(container.name, container.id)
    container.record.name = name
  }

  delete(container: Container): void {
    this.#table.delete(container.id)
    this.forget(container)
  }

  /** Ids of containers that have a volume mounted, running or not, or will have it when they are made. */
  usersOfVolume(name: string): string[] {
    const made = this.all().filter(({ record }) => record.mounts.some(({ point }) => point.Type === 'volume' && point.Name === name)).map(({ id }) => id)
    const coming = [...this.#claims].flatMap(([id, names]) => (names.includes(name) && !made.includes(id) ? [id] : []))
    return [...made, ...coming]
  }

  /** Keeps volumes for a container that is being made, from before they are there until it is listed itself. */
  claimVolumes(id: string, names: readonly string[]): Disposable {
    this.#claims.set(id, names)
    return { [Symbol.dispose]: () => void this.#claims.delete(id) }
  }

  /** Containers made from an image, and those that have it mounted. */
  usersOfImage(imageId: string): Container[] {
    return this.all().filter(({ record }) => record.imageId === imageId || imageMounts(record).some((mount) => mount.imageId === imageId))
  }
}
