import { setTimeout as sleep } from 'node:timers/promises'
import { stats as cgroupStats, noStats } from '@engine/runtime'
import { now, rfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import type { Containers } from '../interface.ts'
import type { ContainerStats, CpuStats } from '../types/container-stats.ts'
import { NEVER } from '../types/container-views.ts'
import { cgroupPath } from './cgroup-path.ts'
import type { Container } from './container.ts'
import { networkStats } from './network-stats.ts'
import { hasProcess } from './state.ts'

/** Milliseconds between two samples. */
const interval = 1000

const noCpu: CpuStats = noStats.cpu_stats

/**
 * Samples of what a container uses, in Docker's shapes: each second one for a stream, the second of two (the first makes shares of
 * processor time possible) for a single answer, one at once for `oneShot`. Of a container that does not run everything is zero.
 * @throws EngineError not-found
 */
export async function containerStats(engine: EngineContext, ref: string, options: Parameters<Containers['stats']>[1], signal: AbortSignal): Promise<AsyncIterable<ContainerStats>> {
  const container = engine.containers.find(ref)
  return options.stream ? stream(engine, container, signal) : single(engine, container, options.oneShot, signal)
}

async function* single(engine: EngineContext, container: Container, oneShot: boolean, signal: AbortSignal): AsyncGenerator<ContainerStats, void, undefined> {
  if (!hasProcess(container.state)) {
    yield { ...names(container), ...nothing }
    return
  }
  const first = sample(engine, container)
  // Docker leaves the names out here, and nowhere else.
  if (oneShot) {
    yield first
    return
  }
  await sleep(interval, undefined, { signal })
  yield { ...names(container), ...after(sample(engine, container), first) }
}

async function* stream(engine: EngineContext, container: Container, signal: AbortSignal): AsyncGenerator<ContainerStats, void, undefined> {
  let before: ContainerStats | undefined
  for (;;) {
    const next: ContainerStats = sample(engine, container)
    yield { ...names(container), ...(before === undefined ? next : after(next, before)) }
    before = next
    if (container.state.status === 'dead' || engine.containers.get(container.id) === undefined) return
    await sleep(interval, undefined, { signal })
  }
}

const nothing: ContainerStats = { read: NEVER, preread: NEVER, ...noStats, num_procs: 0, storage_stats: {}, precpu_stats: noCpu }

function sample(engine: EngineContext, container: Container): ContainerStats {
  if (!hasProcess(container.state)) return nothing
  const networks = networkStats(engine, container)
  const cgroup = cgroupStats(cgroupPath(engine.options, container))
  return { ...nothing, read: rfc3339(now()), ...cgroup, ...(networks === undefined ? {} : { networks }) }
}

function after(next: ContainerStats, before: ContainerStats): ContainerStats {
  return { ...next, preread: before.read, precpu_stats: before.cpu_stats }
}

function names(container: Container): { readonly name: string; readonly id: string } {
  return { name: `/${container.name}`, id: container.id }
}
