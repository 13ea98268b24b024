import { hasProjectQuota, joinProject, limitProject, projectUse } from '@engine/linux/project-quota'
import type { EngineOptions } from '../interface.ts'
import type { Database } from '../state/database.ts'
import { ProjectQuotasTable, type ProjectQuotaRow } from '../state/project-quotas-table.ts'

/** Where project ids of ours begin: far from those that an administrator, or Docker from 1 on, gives out. */
const firstProject = 0x4000_0000

/** Bytes beyond a size that are there while we work ourselves. */
const room = 1 << 20

/** Whose directories are held to a size. */
export type QuotaOwner = { readonly container: string } | { readonly volume: string }

/** Where the directories of an owner are. */
export interface QuotaPlace {
  /** A directory that is there for good, of the same file system. */
  readonly root: string
  readonly directories: readonly string[]
}

/**
 * Sizes of containers' writable layers and of volumes, where the file system has project quotas: XFS mounted with `pquota`, ext4 made
 * with the features `quota` and `project` and mounted with `prjquota`. Each has a project id of its own, from a row that is written
 * before the file system is told; what a crash leaves in between the next start sets again, or takes away.
 */
export class ProjectQuotas {
  readonly #table: ProjectQuotasTable
  readonly #log: EngineOptions['log']
  readonly #rows: Map<string, ProjectQuotaRow>

  constructor(db: Database, log: EngineOptions['log']) {
    this.#table = new ProjectQuotasTable(db)
    this.#log = log
    this.#rows = new Map(this.#table.all().map((row) => [row.owner, row]))
  }

  /** Whether the file system of a directory can do it. */
  supports(root: string): boolean {
    return hasProjectQuota(root)
  }

  /**
   * Holds directories, in which nothing is yet, to a size together.
   * @throws SyscallError where the file system refuses; then nothing is left of it
   */
  hold(owner: QuotaOwner, { root, directories }: QuotaPlace, bytes: number): void {
    const row = { project: this.#free(root), owner: keyOf(owner), bytes }
    this.#table.insert(row)
    this.#rows.set(row.owner, row)
    try {
      limitProject(root, row.project, bytes)
      for (const directory of directories) joinProject(directory, row.project)
    } catch (error) {
      this.release(owner, root)
      throw error
    }
  }

  /** Does work of our own in an owner's directories, for which there is room even where they are full. What a crash leaves the next start sets right. */
  withRoom(owner: QuotaOwner, root: string, work: () => void): void {
    const row = this.#rows.get(keyOf(owner))
    if (row === undefined) return work()
    limitProject(root, row.project, row.bytes + room)
    try {
      work()
    } finally {
      this.#limitAgain(row, root)
    }
  }

  /** Its directories are gone, or on their way: the project is nobody's. Nothing happens without one. */
  release(owner: QuotaOwner, root: string): void {
    const row = this.#rows.get(keyOf(owner))
    if (row === undefined) return
    this.#forget(row, root)
  }

  rename(from: string, to: string): void {
    const row = this.#rows.get(keyOf({ volume: from }))
    if (row === undefined) return
    const owner = keyOf({ volume: to })
    this.#table.rename(row.owner, owner)
    this.#rows.delete(row.owner)
    this.#rows.set(owner, { ...row, owner })
  }

  /**
   * At the start: sets limits again, which may have been lost with the file system's quota files, and takes away what has no owner.
   * @param placeOf where an owner's directories are; undefined for one that is gone
   */
  reconcile(placeOf: (owner: QuotaOwner) => QuotaPlace | undefined, roots: readonly string[]): void {
    for (const row of this.#rows.values()) {
      const place = placeOf(ownerOf(row.owner))
      try {
        if (place === undefined) {
          for (const root of roots) if (hasProjectQuota(root)) limitProject(root, row.project, 0)
          this.#table.delete(row.owner)
          this.#rows.delete(row.owner)
        } else {
          limitProject(place.root, row.project, row.bytes)
          for (const directory of place.directories) joinProject(directory, row.project)
        }
      } catch (error) {
        this.#log('warn', { owner: row.owner, bytes: row.bytes, error: String(error) }, 'a size is not kept: the file system has no project quotas any more')
      }
    }
  }

  /** Does not fail for what has been done: should it stay so, there is a little more room until the next start. */
  #limitAgain(row: ProjectQuotaRow, root: string): void {
    try {
      limitProject(root, row.project, row.bytes)
    } catch (error) {
      this.#log('warn', { owner: row.owner, error: String(error) }, 'a size could not be set again')
    }
  }

  #forget(row: ProjectQuotaRow, root: string): void {
    try {
      limitProject(root, row.project, 0)
    } catch (error) {
      this.#log('warn', { owner: row.owner, error: String(error) }, 'a limit of the file system could not be taken away')
    }
    this.#table.delete(row.owner)
    this.#rows.delete(row.owner)
  }

  /** The lowest id that no row has and that has no files: those of an owner that is gone may still be being deleted. */
  #free(root: string): number {
    const taken = new Set([...this.#rows.values()].map(({ project }) => project))
    for (let project = firstProject; ; project++) {
      if (taken.has(project)) continue
      const { limit, used } = projectUse(root, project)
      if (limit === 0 && used === 0) return project
    }
  }
}

function keyOf(owner: QuotaOwner): string {
  return 'container' in owner ? `container ${owner.container}` : `volume ${owner.volume}`
}

function ownerOf(key: string): QuotaOwner {
  const [kind, ...name] = key.split(' ')
  return kind === 'container' ? { container: name.join(' ') } : { volume: name.join(' ') }
}
