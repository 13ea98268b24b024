import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLease, createSandbox, randomHostInterface, removeSandbox, SpareNamespace, type BridgeNetwork, type EndpointLease } from '@engine/network'
import { openBridgeHost } from '../harness/bridge-host.ts'
import { idOf, type ApiSession } from './api-session.ts'
import { median } from './measure.ts'

const sizes = [10, 100, 500]
const rounds = 40

/** Milliseconds, by the clock and of this thread's processor time. */
interface Moment {
  readonly wall: number
  readonly processor: number
}

/** Who is on a network. */
interface Place {
  readonly path: string
  readonly lease: EndpointLease
}

/**
 * What it takes to make one more container's network, and to take it away, where there are many: on a host of its own, without
 * the rest of a container's start.
 */
export async function benchSandboxes(): Promise<void> {
  using host = await openBridgeHost()
  await using net = host.network()
  const places: Place[] = []
  using spare = new SpareNamespace()
  const make = async (number: number, note: (step: string, from: Moment) => void): Promise<Place> => {
    const place = { path: join(host.directory, `many-${number}`), lease: createLease({ hostInterface: randomHostInterface(), address: `172.17.${1 + (number >> 8)}.${number & 255}` }) }
    const start = moment()
    await createSandbox(place.path, { spare })
    note('namespace', start)
    const made = moment()
    await net.bridge.connect(place.path, place.lease)
    note('endpoint', made)
    note('both', start)
    return place
  }
  for (const size of sizes) {
    while (places.length < size) places.push(await make(places.length, () => undefined))
    const times = new Map<string, Moment[]>()
    const note = (step: string, from: Moment): void => void times.set(step, [...(times.get(step) ?? []), since(from)])
    for (let round = 0; round < rounds; round++) {
      // As the engine does while a client makes up its mind.
      spare.prepare()
      await sleep(5)
      const place = await make(size + round, note)
      const end = moment()
      remove(net.bridge, place)
      note('removal', end)
    }
    const row = [...times].map(([step, each]) => `${step} ${least(each.map(({ wall }) => wall))} / ${median(each.map(({ wall }) => wall)).toFixed(2)} / ${median(each.map(({ processor }) => processor)).toFixed(2)}`).join('   ')
    process.stdout.write(`${String(size).padStart(4)} endpoints, ms least / median / median of processor time: ${row}\n`)
  }
  for (const place of places) remove(net.bridge, place)
}

/** The same of whole containers by the API, on the bridge. */
export async function benchContainers(api: ApiSession): Promise<void> {
  const ids: string[] = []
  const start = async (command: readonly string[], network: string): Promise<string> => {
    const id = idOf(await api.call('POST', '/containers/create', { Image: 'bench-busybox', Cmd: command, HostConfig: { NetworkMode: network } }))
    await api.call('POST', `/containers/${id}/start`)
    return id
  }
  await api.call('POST', '/networks/create', { Name: 'bench-many' })
  for (const size of sizes) {
    while (ids.length < size) ids.push(await start(['sleep', '10000'], ids.length % 2 === 0 ? 'bridge' : 'bench-many'))
    for (const network of ['none', 'bridge', 'bench-many']) {
      const times: number[] = []
      for (let round = 0; round < rounds; round++) {
        const began = performance.now()
        const id = await start(['true'], network)
        await api.call('POST', `/containers/${id}/wait`)
        await api.call('DELETE', `/containers/${id}`)
        times.push(performance.now() - began)
      }
      process.stdout.write(`${String(size).padStart(4)} containers: API create+start+wait+delete, ${network}: least ${least(times)} ms, median ${median(times).toFixed(1)} ms\n`)
    }
  }
  for (const id of ids) await api.call('DELETE', `/containers/${id}?force=1`)
  await api.call('DELETE', '/networks/bench-many')
}

function remove(bridge: BridgeNetwork, { path, lease }: Place): void {
  bridge.release(lease)
  removeSandbox(path)
}

function least(times: readonly number[]): string {
  return Math.min(...times).toFixed(2)
}

function moment(): Moment {
  const { user, system } = process.threadCpuUsage()
  return { wall: performance.now(), processor: (user + system) / 1000 }
}

function since(from: Moment): Moment {
  const now = moment()
  return { wall: now.wall - from.wall, processor: now.processor - from.processor }
}
