import type { MappedIds } from '@engine/image'
import { makeNamespaces } from '@engine/linux/user-namespace'
import type { Remap } from './remap.ts'

/** A user namespace that says to mounts what the containers' ids are; nobody is ever in it. Disposed when the engine closes. */
export function mappedIds({ mappings, root }: Remap): MappedIds & Disposable {
  const { user } = makeNamespaces(mappings, false)
  return { userNamespace: user.fd, root, [Symbol.dispose]: () => user.close() }
}
