import { EngineError, SyscallError } from '@engine/linux'
import { updateCgroup, type OciResources } from '@engine/runtime'
import type { EngineContext } from '../context.ts'
import type { UpdateContainer } from '../interface.ts'
import { withContainer } from '../ledger/cause.ts'
import { transaction } from '../state/database.ts'
import { kernelLimits } from '../system/limits.ts'
import type { HostConfigView } from '../types/container-config.ts'
import { cgroupPath } from './cgroup-path.ts'
import type { Container } from './container.ts'
import { checkUpdate } from './host-config-check.ts'
import { completeHostConfig } from './host-config.ts'
import { limits } from './spec/resources.ts'
import { cgroupRefusal, refusalCode } from './start-error.ts'
import { hasProcess } from './state.ts'

/**
 * Changes a container's limits and restart policy; a running one's at once. 0, '' and null leave a value as it is.
 * What the kernel refuses leaves everything as it was.
 * @throws EngineError in Docker's words: invalid-argument for values, conflict for what does not go together with what is set
 */
export async function updateContainer(engine: EngineContext, ref: string, change: UpdateContainer): Promise<{ Warnings: string[] | null }> {
  const container = engine.containers.find(ref)
  const wanted = readChange(change)
  const warnings = checkUpdate(wanted, kernelLimits())
  await container.lock.run(() =>
    withContainer(container.id, () => {
      try {
        apply(engine, container, wanted, typeof change.RestartPolicy?.Name === 'string' && change.RestartPolicy.Name !== '')
      } catch (cause) {
        throw cannotUpdate(container, cause)
      }
      engine.events.publish('container', 'update', container.id, container.attributes())
    }),
  )
  return { Warnings: warnings.length === 0 ? null : warnings }
}

/** The change as a HostConfig in which everything else is as good as not said. */
function readChange({ RestartPolicy, ...resources }: UpdateContainer): HostConfigView {
  const complete = completeHostConfig({ ...resources, RestartPolicy }, { shmSize: 0, maskedPaths: [], readonlyPaths: [] })
  // At creation the limit of swap follows that of memory; here it stays what it is.
  return { ...complete, MemorySwap: resources.MemorySwap ?? 0, OomKillDisable: null }
}

function apply(engine: EngineContext, container: Container, wanted: HostConfigView, policy: boolean): void {
  if (container.removing || container.state.status === 'dead') throw new EngineError('conflict', 'container is marked for removal and cannot be "update"')
  const before = container.record.hostConfig
  const after = merge(before, wanted, policy)
  if (!hasProcess(container.state)) {
    engine.containers.saveHostConfig(container, after)
    return
  }
  const path = cgroupPath(engine.options, container)
  // Should engined die between the two, the next one sets the cgroup to what the database has.
  const intent = engine.intents.begin('container update', container.id)
  try {
    updateCgroup(path, changed(wanted, after))
  } catch (error) {
    updateCgroup(path, everyLimit(before))
    engine.intents.end(intent)
    throw error
  }
  transaction(engine.db, () => {
    engine.containers.saveHostConfig(container, after)
    engine.intents.end(intent)
  })
}

/** Brings a running container's cgroup back to what the database says, after an update that was interrupted. */
export function restoreLimits(engine: EngineContext, container: Container): void {
  if (hasProcess(container.state)) updateCgroup(cgroupPath(engine.options, container), everyLimit(container.record.hostConfig))
}

/** moby's Container.UpdateContainer: what goes together with what is set already. @throws EngineError conflict */
function merge(before: HostConfigView, wanted: HostConfigView, policy: boolean): HostConfigView {
  const conflict = (message: string): EngineError => new EngineError('conflict', message)
  if (wanted.NanoCpus > 0 && before.CpuPeriod > 0) throw conflict('Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set')
  if (wanted.NanoCpus > 0 && before.CpuQuota > 0) throw conflict('Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set')
  if (wanted.CpuPeriod > 0 && before.NanoCpus > 0) throw conflict('Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set')
  if (wanted.CpuQuota > 0 && before.NanoCpus > 0) throw conflict('Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set')
  if (wanted.Memory > before.MemorySwap && wanted.Memory !== 0 && wanted.MemorySwap === 0) {
    throw conflict('Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time')
  }
  if (policy && before.AutoRemove && wanted.RestartPolicy.Name !== 'no') throw conflict('Restart policy cannot be updated because AutoRemove is enabled for the container')
  const after: HostConfigView = {
    ...before,
    BlkioWeight: wanted.BlkioWeight || before.BlkioWeight,
    CpuShares: wanted.CpuShares || before.CpuShares,
    NanoCpus: wanted.NanoCpus || before.NanoCpus,
    CpuPeriod: wanted.CpuPeriod || before.CpuPeriod,
    CpuQuota: wanted.CpuQuota || before.CpuQuota,
    CpusetCpus: wanted.CpusetCpus || before.CpusetCpus,
    CpusetMems: wanted.CpusetMems || before.CpusetMems,
    CpuRealtimePeriod: wanted.CpuRealtimePeriod || before.CpuRealtimePeriod,
    CpuRealtimeRuntime: wanted.CpuRealtimeRuntime || before.CpuRealtimeRuntime,
    Memory: wanted.Memory || before.Memory,
    MemorySwap: wanted.MemorySwap || before.MemorySwap,
    MemoryReservation: wanted.MemoryReservation || before.MemoryReservation,
    PidsLimit: wanted.PidsLimit ?? before.PidsLimit,
    RestartPolicy: policy ? wanted.RestartPolicy : before.RestartPolicy,
  }
  if (after.Memory > 0 && after.MemorySwap > 0 && after.MemorySwap < after.Memory) {
    throw new EngineError('invalid-argument', 'Minimum memoryswap limit should be larger than memory limit, see usage')
  }
  return after
}

/** What the cgroup is told: the fields of the change. The sum of memory and swap goes with a new limit of memory: v2 limits swap alone. */
function changed(wanted: HostConfigView, after: HostConfigView): OciResources {
  return limits({ ...wanted, MemorySwap: wanted.Memory === 0 ? wanted.MemorySwap : after.MemorySwap, PidsLimit: unlimitedPids(wanted.PidsLimit) })
}

/** A container's limits with nothing left open: what was not given is the kernel's own default. */
function everyLimit(host: HostConfigView): OciResources {
  const { cpus, mems } = kernelLimits()
  const { memory, cpu, pids, blockIO } = limits(host)
  return {
    memory: { ...memory, limit: memory?.limit ?? -1, swap: memory?.swap ?? -1, reservation: memory?.reservation ?? -1 },
    cpu: { ...cpu, shares: cpu?.shares ?? 1024, quota: cpu?.quota ?? -1, period: cpu?.period ?? 100_000, cpus: cpu?.cpus ?? cpus, mems: cpu?.mems ?? mems },
    pids: pids ?? { limit: -1 },
    ...(blockIO === undefined ? {} : { blockIO }),
  }
}

const unlimitedPids = (limit: number | null): number | null => (limit === 0 ? -1 : limit)

function cannotUpdate(container: Container, cause: unknown): EngineError {
  const refused = cause instanceof SyscallError ? cgroupRefusal(cause) : undefined
  const text = refused ?? reason(cause)
  const code = cause instanceof SyscallError ? (refused === undefined ? 'internal' : refusalCode(cause)) : cause instanceof EngineError ? cause.code : 'internal'
  return new EngineError(code, `Cannot update container ${container.id}: ${text}`, { cause })
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
