import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { removeSandbox } from '@engine/network'
import { removeCgroup, type ExitStatus } from '@engine/runtime'
import { parseRfc3339, rfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import { stopHealth } from '../health/monitor.ts'
import { causedByEngine, withContainer } from '../ledger/cause.ts'
import { closeNames } from '../networks/names.ts'
import { autoRemove } from './auto-remove.ts'
import { cgroupPath } from './cgroup-path.ts'
import { noSandbox, type Container, type Sandbox } from './container.ts'
import { imageMounts } from './image-mounts.ts'
import { openLinks } from './open-links.ts'
import { removeRunDirectory, volumeNames } from './prepare-mounts.ts'
import { restartDelay } from './restart-policy.ts'
import { forgetAtRuntime } from './runtimes.ts'
import { scheduleRestart } from './restart-timer.ts'
import { drainPatience } from './signal.ts'
import { within } from '../within.ts'
import { publishNetwork, publishVolumes } from './publish.ts'
import { hasProcess, transition } from './state.ts'

/** A container's process has ended: records it, tells of it, cleans up, and does what the restart policy says. */
export async function containerExited(engine: EngineContext, container: Container, pid: number, status: ExitStatus): Promise<void> {
  await container.lock.run(() =>
    causedByEngine('exit', () =>
      withContainer(container.id, async () => {
        if (!hasProcess(container.state) || container.state.pid !== pid) return
        if (!(await within(engine.pump.drained(container.id), drainPatience))) {
          engine.options.log('warn', { container: container.id }, 'the log of an ended container is not complete yet')
        }
        record(engine, container, status)
      }),
    ),
  )
}

function record(engine: EngineContext, container: Container, status: ExitStatus): void {
  const { state, sandbox } = container
  const milliseconds = Number((parseRfc3339(status.finishedAt) - parseRfc3339(state.startedAt)) / 1_000_000n)
  const ended = { exitCode: status.code, ran: milliseconds, restartCount: state.restartCount, manuallyStopped: state.manuallyStopped, cancelled: container.policyCancelled || container.removing || engine.closing.aborted }
  const delay = restartDelay(container.record.hostConfig.RestartPolicy, ended, container.restartDelay)
  transition(container.id, state, delay === undefined ? 'exited' : 'restarting')
  Object.assign(state, {
    pid: 0,
    startTime: '',
    exitCode: status.code,
    oomKilled: status.oomKilled,
    finishedAt: rfc3339(parseRfc3339(status.finishedAt)),
    error: status.lost === true ? 'the exit status is lost: nobody was there to see the process end' : '',
  })
  if (delay !== undefined) {
    state.restartCount++
    container.restartDelay = delay
  }
  stopHealth(engine, container)
  container.sandbox = noSandbox
  // What is undone next cannot be looked at again: the end is on the disk before.
  engine.containers.saveState(container)
  beginTeardown(engine, container, sandbox)

  if (status.oomKilled && !container.oomReported) engine.events.publish('container', 'oom', container.id, container.attributes())
  publishNetwork(engine, container, 'disconnect', sandbox)
  publishVolumes(engine, container, 'unmount')
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  engine.events.publish('container', 'die', container.id, container.attributes({ execDuration: String(seconds), exitCode: String(status.code) }))
  container.wake('stopped')
  if (delay !== undefined) scheduleRestart(engine, container, delay)
  else if (container.record.hostConfig.AutoRemove) autoRemove(engine, container)
}

/** Begins to undo what a start had made. Whoever needs the container's place again waits for `container.teardown`. */
export function beginTeardown(engine: EngineContext, container: Container, sandbox: Sandbox): void {
  const work = teardown(engine, container, sandbox)
    .catch((error: unknown) => {
      engine.options.log('error', { container: container.id, error: String(error) }, 'an ended container could not be cleaned up')
    })
    .finally(() => {
      if (container.teardown === work) container.teardown = undefined
    })
  container.teardown = work
}

async function teardown(engine: EngineContext, container: Container, sandbox: Sandbox): Promise<void> {
  const { id } = container
  const paths = engine.paths.container(id)
  closeNames(engine, sandbox)
  engine.networks.ports.close(id)
  for (const endpoint of sandbox.endpoints) engine.networks.release(endpoint)
  openLinks(engine)
  if (sandbox.id !== '' && container.record.hostConfig.NetworkMode !== 'host') removeSandbox(sandbox.key)
  const unmounted = engine.overlay.unmount(id)
  letOutputGo(engine, container)
  await forgetAtRuntime(engine.options, container.record.hostConfig.Runtime, id, paths.run).catch((error: unknown) => engine.options.log('warn', { container: id, error: String(error) }, 'a runtime could not forget an ended container'))
  const results = await Promise.allSettled([unmounted, removeCgroup(cgroupPath(engine.options, container)), engine.shim.release({ container: id })])
  removeRunDirectory(paths)
  await Promise.all(imageMounts(container.record).map(({ snapshot }) => engine.overlay.unmount(snapshot)))
  await Promise.all(volumeNames(container).map((name) => engine.volumes.release(name, id)))
  // The spool is the pump's to remove: a slow client may still be reading it.
  removeExitFile(join(paths.directory, 'exit.json'))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function removeExitFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

/** Closes the log. What clients have not read yet stays in the spool until they have. */
function letOutputGo(engine: EngineContext, container: Container): void {
  const reading = engine.pump
    .close(container.id)
    .catch((error: unknown) => engine.options.log('warn', { container: container.id, error: String(error) }, 'a log could not be closed'))
    .finally(() => {
      if (container.reading === reading) container.reading = undefined
    })
  container.reading = reading
}
