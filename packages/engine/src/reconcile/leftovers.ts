import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { listSandboxes, removeSandbox } from '@engine/network'
import { cgroupLayout, removeCgroup } from '@engine/runtime'
import { cgroupParent, cgroupPath } from '../containers/cgroup-path.ts'
import { imageMounts } from '../containers/image-mounts.ts'
import { openLinks } from '../containers/open-links.ts'
import { removeRunDirectory } from '../containers/prepare-mounts.ts'
import { forgetAtRuntime, runtimeRoot } from '../containers/runtimes.ts'
import { hasProcess } from '../containers/state.ts'
import type { EngineContext } from '../context.ts'

const isId = (name: string): boolean => /^[0-9a-f]{64}$/.test(name)

/**
 * Takes away what is on the host and in no row: mounts, network namespaces, cgroups and directories that a crash left. Only in the
 * engine's own directories, below its own cgroup parent, on its own bridge. Containers have been reconciled before.
 */
export async function removeLeftovers(engine: EngineContext): Promise<void> {
  const { paths } = engine
  const containers = engine.containers.all()
  const ids = new Set(containers.map(({ id }) => id))
  const running = new Set(containers.filter(({ state }) => hasProcess(state)).map(({ id }) => id))
  const step = async (what: string, path: string, work: () => Promise<void> | void): Promise<void> => {
    try {
      await work()
    } catch (error) {
      engine.options.log('warn', { path, error: String(error) }, `${what} that was left over could not be removed`)
    }
  }

  for (const id of namesIn(paths.runContainers).filter((name) => !running.has(name))) {
    await step('a directory', id, () => removeRunDirectory(paths.container(id)))
  }
  // A running container's execs that nobody remembers: health checks of before.
  for (const id of running) {
    for (const exec of [...namesIn(join(paths.container(id).directory, 'exec')), ...namesIn(join(paths.container(id).run, 'exec'))]) {
      if (engine.execs.get(exec) !== undefined) continue
      const { directory, run } = paths.container(id).exec(exec)
      await step('a directory', directory, () => [directory, run].forEach((path) => rmSync(path, { recursive: true, force: true })))
    }
  }
  for (const name of namesIn(join(engine.options.execRoot, 'runtimes'))) {
    const root = runtimeRoot(engine.options, name)
    for (const id of namesIn(root).filter((one) => isId(one) && !running.has(one))) {
      // Its own way comes first: a runtime may have processes of its own for a container.
      await step("a runtime's container", id, () => forgetAtRuntime(engine.options, name, id, root))
      await step("a runtime's state", id, () => rmSync(join(root, id), { recursive: true, force: true }))
    }
  }
  const keys = new Set(containers.filter(({ id }) => running.has(id)).map(({ sandbox }) => sandbox.key))
  for (const name of listSandboxes(paths.sandboxes)) {
    const key = join(paths.sandboxes, name)
    if (!keys.has(key)) await step('a network namespace', key, () => removeSandbox(key))
  }
  // Below a parent of somebody else's only the groups that containers would have are ours.
  const elsewhere = containers.filter(({ record }) => record.hostConfig.CgroupParent !== '')
  const groups = new Set([...groupsBelow(cgroupParent(engine.options.cgroupParent)), ...elsewhere.map((container) => cgroupPath(engine.options, container))])
  for (const container of containers) if (running.has(container.id)) groups.delete(cgroupPath(engine.options, container))
  for (const group of groups) await step('a cgroup', group, () => removeCgroup(group))

  const owners = new Map(containers.flatMap(({ id, record }) => [[id, id] as const, ...imageMounts(record).map(({ snapshot }) => [snapshot, id] as const)]))
  for (const id of (await engine.overlay.list()).others) {
    const owner = owners.get(id)
    if (owner === undefined) await step('a root file system', id, () => engine.overlay.remove(id))
    else if (!running.has(owner)) await step('a mount', id, () => engine.overlay.unmount(id))
  }
  for (const name of namesIn(paths.containers)) {
    if (!ids.has(name)) await step('a directory', name, () => rmSync(join(paths.containers, name), { recursive: true, force: true }))
  }
  await step('a link', engine.options.bridge, async () => {
    const ports = await engine.networks.reconcile()
    openLinks(engine)
    if (ports.length > 0) engine.options.log('info', { ports }, 'links that were left over are gone')
  })
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** Containers' cgroups below a parent, in whatever hierarchy. */
function groupsBelow(parent: string): string[] {
  return cgroupLayout()
    .directories(parent)
    .flatMap((directory) => namesIn(directory).filter(isId))
    .map((id) => `${parent}/${id}`)
}
