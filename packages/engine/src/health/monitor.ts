import { setTimeout as sleep } from 'node:timers/promises'
import { parseRfc3339 } from '../clock.ts'
import type { Container } from '../containers/container.ts'
import type { EngineContext } from '../context.ts'
import { unrecorded } from '../ledger/cause.ts'
import { healthCheck, type Health, type HealthCheck, type HealthResult } from './health.ts'
import { judge, startingHealth, untilNextCheck } from './judge.ts'
import { probe } from './probe.ts'

/** A run begins: the container is starting, and is checked from now on. */
export function startHealth(engine: EngineContext, container: Container): void {
  if (healthCheck(container.record.config) === undefined) return
  save(engine, container, startingHealth(container.health))
  watchHealth(engine, container)
}

/** Checks a running container time and again, until `leaveHealth`, `stopHealth` or the engine's end. */
export function watchHealth(engine: EngineContext, container: Container): void {
  const check = healthCheck(container.record.config)
  if (check === undefined) return
  container.healthWatch?.abort()
  const watch = new AbortController()
  container.healthWatch = watch
  const signal = AbortSignal.any([watch.signal, engine.closing])
  // A check every few seconds would fill a container's ledger with nothing else.
  unrecorded('health check', () => follow(engine, container, check, signal)).catch((error: unknown) => {
    if (!signal.aborted) engine.options.log('error', { container: container.id, error: String(error) }, 'a container is not checked any more')
  })
}

/** The container is paused or has ended: what is not checked is not healthy, says Docker, and says it without an event. */
export function stopHealth(engine: EngineContext, container: Container): void {
  if (container.healthWatch === undefined) return
  container.healthWatch.abort()
  container.healthWatch = undefined
  if (container.health !== undefined) save(engine, container, { ...container.health, status: 'unhealthy' })
}

async function follow(engine: EngineContext, container: Container, check: HealthCheck, signal: AbortSignal): Promise<void> {
  const started = parseRfc3339(container.state.startedAt)
  const ran = (until: bigint): number => Number((until - started) / 1_000_000n)
  for (;;) {
    const health = container.health ?? startingHealth(undefined)
    await sleep(untilNextCheck(health, check, ran(BigInt(Date.now()) * 1_000_000n)), undefined, { signal })
    const result = await probe(engine, container, check, signal)
    if (result === undefined || signal.aborted) return
    settle(engine, container, check, result, ran(parseRfc3339(result.start)))
  }
}

function settle(engine: EngineContext, container: Container, check: HealthCheck, result: HealthResult, ran: number): void {
  const before = container.health ?? startingHealth(undefined)
  const after = judge(before, result, check, ran)
  save(engine, container, after)
  if (after.status !== before.status) engine.events.publish('container', `health_status: ${after.status}`, container.id, container.attributes())
}

function save(engine: EngineContext, container: Container, health: Health): void {
  container.health = health
  engine.health.save(container.id, health)
}
