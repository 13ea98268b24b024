import { resolverAddress } from './dns/sandbox-resolver.ts'
import type { Upstream } from './dns/forwarder.ts'
import { checkedNameserver, fallbackIPv4, header, parseResolvConf, type ResolvConfSettings } from './resolv-conf.ts'

/** What a container on networks of users' own asks for names. */
export interface InternalResolvConf {
  /** Of its /etc/resolv.conf, byte by byte as Docker 28 writes it. */
  readonly content: string
  /** Whom its nameserver asks in turn. */
  readonly upstreams: readonly Upstream[]
  /** `ndots` is set, and not to 0: names without a dot are not asked for outside. */
  readonly dotless: boolean
}

/**
 * The resolv.conf of a container whose nameserver is engine's own (moby: libnetwork/internal/resolvconf, TransformForIntNS): the
 * host's search list and options, or the user's; the nameservers are asked by engine.
 * @throws EngineError invalid-argument when one of `dns` is no address
 */
export function writeInternalResolvConf(settings: Pick<ResolvConfSettings, 'source' | 'dns' | 'search' | 'options'>): InternalResolvConf {
  const { source, dns, search, options } = settings
  const host = parseResolvConf(source?.content ?? '')
  const useFallback = dns.length === 0 && host.nameservers.length === 0
  const upstreams = dns.length > 0 ? dns.map((address) => ({ address: checkedNameserver(address), host: false })) : (useFallback ? fallbackIPv4 : host.nameservers).map((address) => ({ address, host: !useFallback }))
  const searched = search.length > 0 ? search.filter((domain) => domain !== '.') : host.search
  const optioned = options.length > 0 ? options : host.options
  const ndots = optioned.find((option) => option.split(':')[0] === 'ndots')
  const overrides = [...(dns.length > 0 ? ['nameservers'] : []), ...(search.length > 0 ? ['search'] : []), ...(options.length > 0 ? ['options'] : [])]
  const content = [
    header,
    `nameserver ${resolverAddress}`,
    ...(searched.length > 0 ? [`search ${searched.join(' ')}`] : []),
    `options ${[...optioned, ...(ndots === undefined ? ['ndots:0'] : [])].join(' ')}`,
    ...host.other,
    '',
    `# Based on host file: '${source?.path ?? ''}' (internal resolver)`,
    ...(useFallback ? ['# Used default nameservers.'] : []),
    `# ExtServers: [${upstreams.map((upstream) => (upstream.host ? `host(${upstream.address})` : upstream.address)).join(' ')}]`,
    ...(host.invalid.length > 0 ? [`# Invalid nameservers: [${host.invalid.join(' ')}]`] : []),
    `# Overrides: [${overrides.join(' ')}]`,
    `# Option ndots from: ${ndots === undefined ? 'internal' : options.length > 0 ? 'override' : 'host'}`,
    '',
  ].join('\n')
  return { content, upstreams, dotless: Number(ndots?.split(':')[1] ?? 0) > 0 }
}
