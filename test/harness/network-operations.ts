import type { Client } from '@engine/api/client'
import { createContainer, startContainer } from './containers.ts'
import { severally, type Operation } from './operation.ts'

let counter = 0

/** A network with both families, for as long as the test. */
async function makeNetwork(client: Client): Promise<string> {
  const name = `network-${++counter}`
  await client.request('POST', '/networks/create', { body: { Name: name, EnableIPv6: true } })
  return name
}

/** Ports below those that the kernel gives away; each container has some of its own. */
const [firstPort, portsEach, places] = [12_000, 16, 1000]

/** Lone ports of both protocols and families, a run, one of loopback, and one that the kernel is to choose. */
function publishing(): { readonly host: object; readonly config: object } {
  const port = firstPort + (++counter % places) * portsEach
  const bindings = {
    '80/tcp': [{ HostIp: '', HostPort: String(port) }],
    '53/udp': [{ HostIp: '', HostPort: String(port) }, { HostIp: '127.0.0.1', HostPort: String(port + 1) }],
    '81/tcp': [{ HostIp: '::1', HostPort: String(port + 1) }, { HostIp: '127.0.0.1', HostPort: '' }],
    ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`${port + 4 + i}/tcp`, [{ HostIp: '', HostPort: String(port + 4 + i) }]])),
  }
  return { host: { PortBindings: bindings }, config: { ExposedPorts: Object.fromEntries(Object.keys(bindings).map((name) => [name, {}])) } }
}

/** A container on two networks of its own, with ports and aliases. */
async function makeConnected(client: Client): Promise<{ readonly id: string; readonly one: string; readonly other: string }> {
  const [one, other] = [await makeNetwork(client), await makeNetwork(client)]
  const { host, config } = publishing()
  const NetworkingConfig = { EndpointsConfig: { [one]: { Aliases: ['same', `own-${counter}`] }, [other]: { Aliases: ['same'], GwPriority: 1 } } }
  return { id: await createContainer(client, ['sleep', '100'], { NetworkMode: one, ...host }, { ...config, NetworkingConfig }), one, other }
}

const start = (client: Client, id: string): Promise<unknown> => client.request('POST', `/containers/${id}/start`)

/** The operations that change networks, ports and names. */
export const networkOperations: readonly Operation[] = [
  {
    name: 'networks',
    prepare: (client) => severally(async () => {
      const name = `network-${++counter}`
      return async () => {
        await client.request('POST', '/networks/create', { body: { Name: name, EnableIPv6: true } })
        await client.request('DELETE', `/networks/${name}`)
      }
    }),
  },
  {
    name: 'connect and disconnect',
    prepare: (client) => severally(async () => {
      const [one, other] = [await makeNetwork(client), await makeNetwork(client)]
      const id = await startContainer(client, ['sleep', '100'], { NetworkMode: one })
      return async () => {
        await client.request('POST', `/networks/${other}/connect`, { body: { Container: id, EndpointConfig: { Aliases: ['x'], GwPriority: 1 } } })
        await client.request('POST', `/networks/${one}/disconnect`, { body: { Container: id } })
      }
    }),
  },
  {
    name: 'start on two networks, with ports and aliases',
    prepare: (client) => severally(async () => {
      const { id } = await makeConnected(client)
      return () => start(client, id)
    }),
  },
  {
    name: 'published ports that move from network to network',
    prepare: (client) => severally(async () => {
      const { id, one, other } = await makeConnected(client)
      await start(client, id)
      return async () => {
        await client.request('POST', `/networks/${other}/disconnect`, { body: { Container: id } })
        await client.request('POST', `/networks/bridge/connect`, { body: { Container: id, EndpointConfig: { GwPriority: 2 } } })
        await client.request('POST', `/networks/${one}/disconnect`, { body: { Container: id } })
      }
    }),
  },
  {
    name: 'published ports that close with the last network',
    prepare: (client) => severally(async () => {
      const { host, config } = publishing()
      const one = await makeNetwork(client)
      const id = await startContainer(client, ['sleep', '100'], { NetworkMode: one, ...host }, config)
      return () => client.request('POST', `/networks/${one}/disconnect`, { body: { Container: id } })
    }),
  },
  {
    name: 'forced removal with networks and ports',
    prepare: (client) => severally(async () => {
      const { id, one, other } = await makeConnected(client)
      await start(client, id)
      return async () => {
        await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
        await Promise.all([one, other].map((name) => client.request('DELETE', `/networks/${name}`)))
      }
    }),
  },
  {
    name: 'end and start again on the default bridge, with ports',
    prepare: (client) => severally(async () => {
      const { host, config } = publishing()
      const id = await startContainer(client, ['sleep', '100'], host, config)
      return () => client.request('POST', `/containers/${id}/restart`, { query: { t: 0 } })
    }),
  },
]
