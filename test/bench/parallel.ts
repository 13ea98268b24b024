import { ApiSession, idOf } from './api-session.ts'
import { interleaved, report } from './measure.ts'

const clients = 8
const total = 48

/**
 * Containers started by eight clients at once, each on a connection of its own: how long so many take from the first create to the
 * last start's answer.
 * @param hosts `unix://…` by engine, the one to be compared first; each has the image bench-busybox
 */
export async function benchParallel(hosts: Readonly<Record<string, string>>, rounds: number): Promise<void> {
  for (const network of ['none', 'bridge']) {
    const start = (host: string) => (): Promise<number> => startAll(host, network)
    report(`${total} containers started by ${clients} clients, ${network}`, await interleaved(Object.fromEntries(Object.entries(hosts).map(([engine, host]) => [engine, start(host)])), rounds, 1), 0.5)
  }
}

async function startAll(host: string, network: string): Promise<number> {
  const sessions = Array.from({ length: clients }, () => new ApiSession(host))
  const ids: string[] = []
  let begun = 0
  const client = async (api: ApiSession): Promise<void> => {
    while (begun++ < total) {
      const id = idOf(await api.call('POST', '/containers/create', { Image: 'bench-busybox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: network } }))
      ids.push(id)
      await api.call('POST', `/containers/${id}/start`)
    }
  }
  const from = performance.now()
  await Promise.all(sessions.map(client))
  const took = performance.now() - from
  await Promise.all(sessions.map(async (api, number) => {
    for (let index = number; index < ids.length; index += clients) await api.call('DELETE', `/containers/${ids[index]}?force=1`)
  }))
  for (const api of sessions) api.close()
  return took
}
