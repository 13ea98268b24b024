import { BlockList, isIP } from 'node:net'
import { EngineError } from '@engine/linux'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy that the environment names for a URL, as Docker reads it (golang.org/x/net/http/httpproxy): HTTPS_PROXY or HTTP_PROXY by
 * the URL's scheme, NO_PROXY with names, `.domains`, addresses and ranges of them, each with or without a port. This machine itself
 * is never behind one.
 * @returns undefined when there is none
 * @throws EngineError invalid-argument for a proxy that is none
 */
export function proxyFor(url: URL, environment: Environment = process.env): URL | undefined {
  const named = variable(environment, url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY')
  if (named === '') return undefined
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  if (host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, family(host)))) return undefined
  if (variable(environment, 'NO_PROXY').split(',').some((entry) => excepts(entry.trim().toLowerCase(), host, port))) return undefined
  const proxy = URL.parse(/^[a-z0-9+.-]+:\/\//i.test(named) ? named : `http://${named}`)
  // What is in it may be a password.
  if (proxy === null || (proxy.protocol !== 'http:' && proxy.protocol !== 'https:')) throw new EngineError('invalid-argument', `invalid proxy in the environment of engined for ${url.protocol}//${url.host}`, { hint: 'HTTP_PROXY and HTTPS_PROXY are URLs: http://proxy.example:3128' })
  return proxy
}

function variable(environment: Environment, name: string): string {
  return environment[name] || environment[name.toLowerCase()] || ''
}

/** Whether an entry of NO_PROXY means a host. */
function excepts(entry: string, host: string, port: string): boolean {
  if (entry === '') return false
  if (entry === '*') return true
  const [, range = '', bits = ''] = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry) ?? []
  if (isIP(range) !== 0) return isIP(host) !== 0 && inRange(host, range, Number(bits))
  // An address of version 6 with a port stands in brackets.
  const [, name = entry, only = ''] = isIP(entry) === 6 ? [] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? [])
  if (only !== '' && only !== port) return false
  const bare = name.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return isIP(host) !== 0 && inRange(host, bare, isIP(bare) === 4 ? 32 : 128)
  const domain = bare.replace(/^\*(?=\.)/, '')
  return domain.startsWith('.') ? host.endsWith(domain) : domain !== '' && (host === domain || host.endsWith(`.${domain}`))
}

function inRange(host: string, range: string, bits: number): boolean {
  if (isIP(host) !== isIP(range) || bits > (isIP(range) === 4 ? 32 : 128)) return false
  const list = new BlockList()
  list.addSubnet(range, bits, family(range))
  return list.check(host, family(host))
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
