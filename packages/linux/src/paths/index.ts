/*
 * The one module for hostile paths: names inside a container's root, a layer, an archive, a volume, a build context.
 * It resolves them with openat2(2) under RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS and hands out descriptors. Nothing else in the
 * project may use such a path as a string.
 */
export * from './open.ts'
export * from './make.ts'
export * from './read.ts'
export * from './list.ts'
export * from './remove.ts'
export * from './chmod.ts'
export { Descriptor } from '../descriptor.ts'
export { O_PATH, O_CLOEXEC } from '../openat2.ts'
export type { PathBytes } from '../c-string.ts'
