import type { EngineContext } from '../context.ts'
import { causedByEngine, withContainer } from '../ledger/cause.ts'
import { openNames } from '../networks/names.ts'
import type { Container } from './container.ts'
import { updateResolvConf } from './network-files.ts'
import { hasProcess } from './state.ts'

/**
 * The host's nameservers are others: containers that run follow, by what their nameserver of ours asks and by what is in their files.
 * (Docker's go on asking those of their start.)
 */
export function followResolvConf(engine: EngineContext): void {
  for (const container of engine.containers.all()) {
    if (!hasProcess(container.state)) continue
    container.lock.run(() => causedByEngine('change of the host\'s resolv.conf', () => withContainer(container.id, () => follow(engine, container)))).catch((error: unknown) => {
      engine.options.log('error', { container: container.id, error: String(error) }, 'a container could not follow the change of the host\'s nameservers')
    })
  }
}

/** Brings a running container's nameserver and resolv.conf up to date. Nothing happens for one that shares another's. */
export async function follow(engine: EngineContext, container: Container): Promise<void> {
  if (!hasProcess(container.state) || container.sandbox.id === '') return
  if (container.record.hostConfig.NetworkMode !== 'host') await openNames(engine, container, container.sandbox)
  updateResolvConf(engine, container)
}
