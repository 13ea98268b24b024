import { isIP } from 'node:net'

export interface PortBinding {
  readonly HostIp: string
  readonly HostPort: string
}

export interface Ports {
  readonly exposed: Record<string, object>
  readonly bindings: Record<string, PortBinding[]>
}

/**
 * Reads `--publish` and `--expose` into the API's maps.
 * @param publish `[ip:][hostPort]:containerPort[/protocol]` with ranges, or `published=…,target=…,protocol=…`
 * @param expose `port[/protocol]` with ranges
 * @throws Error with docker's text
 */
export function readPorts(publish: readonly string[], expose: readonly string[]): Ports {
  const ports: Ports = { exposed: {}, bindings: {} }
  for (const given of publish) {
    for (const [port, binding] of readPublish(given.includes('=') ? plainForm(given) : given)) {
      ports.exposed[port] ??= {}
      const bindings = (ports.bindings[port] ??= [])
      bindings.push(binding)
    }
  }
  for (const given of expose) {
    if (given.includes(':')) throw new Error(`invalid port format for --expose: ${given}`)
    const [range, protocol] = splitProtocol(given)
    let bounds: readonly [number, number]
    try {
      bounds = readRange(range)
    } catch (error) {
      throw new Error(`invalid range format for --expose: ${given}, error: ${(error as Error).message}`, { cause: error })
    }
    for (let port = bounds[0]; port <= bounds[1]; port++) ports.exposed[`${port}/${protocol}`] ??= {}
  }
  return ports
}

function plainForm(given: string): string {
  const fields: Record<string, string> = { protocol: 'tcp' }
  for (const field of given.split(',')) {
    const [key, value] = field.split('=')
    if (key === undefined || value === undefined) throw new Error(`invalid publish opts format (should be name=value but got '${field}')`)
    fields[key] = value
  }
  return `${fields['published'] ?? ''}:${fields['target'] ?? ''}/${fields['protocol']}`
}

function readPublish(given: string): [string, PortBinding][] {
  const [address, hostPort, whole] = splitAddress(given)
  const [containerPort, protocol] = splitProtocol(whole)
  if (containerPort === '') throw new Error(`no port specified: ${given}<empty>`)
  const ip = address.replace(/^\[(.*)\]$/, '$1')
  if (ip !== '' && isIP(ip) === 0) throw new Error(`invalid IP address: ${address}`)
  const container = rangeOf(containerPort, `invalid containerPort: ${containerPort}`)
  const host = hostPort === '' ? undefined : rangeOf(hostPort, `invalid hostPort: ${hostPort}`)
  const count = container[1] - container[0]
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw new Error(`invalid proto: ${protocol}`)
  // A range of host ports for a single container port leaves the choice to the daemon.
  const choice = host !== undefined && count === 0 && host[1] > host[0]
  if (host !== undefined && !choice && host[1] - host[0] !== count) {
    throw new Error(`invalid ranges specified for container and host Ports: ${containerPort} and ${hostPort}`)
  }
  return Array.from({ length: count + 1 }, (_, i) => {
    const HostPort = host === undefined ? '' : choice ? `${host[0]}-${host[1]}` : String(host[0] + i)
    return [`${container[0] + i}/${protocol}`, { HostIp: ip, HostPort }]
  })
}

/** Parts `ip:host:container`; everything before the last two colons is the address (IPv6 stands in brackets). */
function splitAddress(given: string): [string, string, string] {
  const parts = given.split(':')
  const container = parts.pop() ?? ''
  const host = parts.pop() ?? ''
  return [parts.join(':'), host, container]
}

function splitProtocol(given: string): [string, string] {
  const [port = '', protocol = ''] = given.split('/')
  return [port, protocol === '' ? 'tcp' : protocol.toLowerCase()]
}

function rangeOf(given: string, failure: string): readonly [number, number] {
  try {
    return readRange(given)
  } catch {
    throw new Error(failure)
  }
}

function readRange(given: string): readonly [number, number] {
  if (given === '') throw new Error('empty string specified for ports')
  const [first = '', last] = given.split('-')
  const start = readPort(first)
  const end = last === undefined ? start : readPort(last)
  if (end < start) throw new Error(`invalid range specified for port: ${given}`)
  return [start, end]
}

function readPort(given: string): number {
  if (!/^[0-9]+$/.test(given)) throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(given)}: invalid syntax`)
  if (Number(given) > 65535) throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(given)}: value out of range`)
  return Number(given)
}
