import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'

/*
 * The folder overlay2 as Docker's users know it: one directory for each layer and each container,
 *   <id>/diff       a layer's files, or a container's upper directory
 *   <id>/link       its short name: l/<short> is a symbolic link to ../<id>/diff
 *   <id>/lower      the short links of the layers below, topmost first: l/AAA:l/BBB; none for a base layer
 *   <id>/work       the overlay's own (containers)
 *   <id>/merged     where a container's overlay is mounted
 *   <id>/committed  of a layer: what it is, as JSON; written last
 * <id>-init holds what Docker puts between an image and its containers: mount points and /.dockerenv.
 */

export const linkFolder = 'l'
/** What is being made, and what is being deleted: on the same file system, so that a rename moves it in or out. */
export const makingFolder = '.making'
export const trashFolder = '.trash'
/** Where the store is mounted with other ids, while a container's file system is being mounted; see mapped-ids.ts. */
export const mappedFolder = '.mapped'
export const initSuffix = '-init'

const idPattern = /^[0-9a-f]{64}(?:-init)?$|^scratch-init$/
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** @throws EngineError invalid-argument unless it is an id of ours, which alone may become a path */
export function checkId(id: string): string {
  if (!idPattern.test(id)) throw new EngineError('invalid-argument', `invalid layer or container id ${JSON.stringify(id)}`)
  return id
}

/** A short name of 26 letters, as Docker's. */
export function newShortName(): string {
  return Array.from(randomBytes(26), (byte) => alphabet[byte & 31]).join('')
}

/** The paths of one layer or container. */
export class Layout {
  readonly directory: string
  readonly diff: string
  readonly link: string
  readonly lower: string
  readonly work: string
  readonly merged: string
  readonly committed: string

  constructor(root: string, id: string) {
    this.directory = join(root, checkId(id))
    this.diff = join(this.directory, 'diff')
    this.link = join(this.directory, 'link')
    this.lower = join(this.directory, 'lower')
    this.work = join(this.directory, 'work')
    this.merged = join(this.directory, 'merged')
    this.committed = join(this.directory, 'committed')
  }
}
