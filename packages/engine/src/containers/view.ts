import { randomUUID } from 'node:crypto'
import type { ViewMount, ViewSpec } from '@engine/image'
import type { EngineContext } from '../context.ts'
import { containerMappings, isRemapped } from '../userns/container-ids.ts'
import type { Container } from './container.ts'
import { imageMounts } from './image-mounts.ts'
import { volumeNames } from './prepare-mounts.ts'

/**
 * Runs work on a container's files as the container sees them: its root, and in it the volumes, binds and files of /etc that it has
 * mounted, running or not. What the kernel mounts (procfs, tmpfs) is not among them, as with Docker.
 */
export async function withView<T>(engine: EngineContext, container: Container, work: (view: ViewSpec) => Promise<T>): Promise<T> {
  const mapped = isRemapped(engine, container.record.hostConfig)
  await using root = await engine.overlay.hold(container.id, { mapped })
  await using volumes = new AsyncDisposableStack()
  for (const { snapshot } of imageMounts(container.record)) volumes.use(await engine.overlay.hold(snapshot, { mapped }))
  const user = randomUUID()
  for (const name of volumeNames(container)) {
    await engine.volumes.use(name, user)
    volumes.defer(() => engine.volumes.release(name, user))
  }
  return await work({ root: root.merged, mounts: viewMounts(engine, container), readOnlyRoot: container.record.hostConfig.ReadonlyRootfs, ids: containerMappings(engine, container) })
}

function viewMounts(engine: EngineContext, container: Container): ViewMount[] {
  const { hosts, hostname, resolvConf } = engine.paths.container(container.id)
  const own = [
    { destination: '/etc/hosts', source: hosts, readOnly: false },
    { destination: '/etc/hostname', source: hostname, readOnly: false },
    { destination: '/etc/resolv.conf', source: resolvConf, readOnly: false },
  ]
  const given = container.record.mounts.flatMap(({ point, subpath }): ViewMount[] => {
    if (point.Type === 'bind') return [{ destination: point.Destination, source: point.Source, readOnly: !point.RW }]
    if (point.Type === 'image') return [{ destination: point.Destination, source: point.Source, subpath, readOnly: true }]
    if (point.Type !== 'volume') return []
    return [{ destination: point.Destination, source: engine.volumes.mountpoint(point.Name as string), subpath, readOnly: !point.RW }]
  })
  const taken = new Set(given.map(({ destination }) => destination))
  return [...own.filter(({ destination }) => !taken.has(destination)), ...given]
}
