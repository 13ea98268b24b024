import { isIP } from 'node:net'
import { EngineError } from '@engine/linux'
import type { GatewayMode } from '@engine/network'

type Options = Readonly<Record<string, string>>

/** What `com.docker.network.…` options say of a bridge network; undefined where Docker's default holds. */
export interface BridgeOptions {
  readonly name: string | undefined
  readonly interContainer: boolean
  readonly masquerade: boolean
  readonly inhibitIPv4: boolean
  readonly mode4: GatewayMode | undefined
  readonly mode6: GatewayMode | undefined
  readonly trusted: readonly string[]
  /** bytes */
  readonly mtu: number | undefined
  readonly source4: string | undefined
  readonly source6: string | undefined
}

const modes: readonly GatewayMode[] = ['nat', 'nat-unprotected', 'routed', 'isolated']

/** Reads the options of a bridge network; those that it does not know are kept and shown, as with Docker. @throws EngineError in Docker's words */
export function readBridgeOptions(options: Options, internal: boolean): BridgeOptions {
  const bridge = (key: string): string => `com.docker.network.bridge.${key}`
  const name = options[bridge('name')]
  const binding = options[bridge('host_binding_ipv4')]
  if (binding !== undefined && binding !== '' && isIP(binding) === 0) throw unparsed(bridge('host_binding_ipv4'), binding, 'nil ip')
  if (name !== undefined && name !== '' && !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name)) throw new EngineError('invalid-argument', `invalid bridge name: ${JSON.stringify(name)}`)
  return {
    name: name || undefined,
    interContainer: flag(options, bridge('enable_icc')) ?? true,
    masquerade: flag(options, bridge('enable_ip_masquerade')) ?? true,
    inhibitIPv4: flag(options, bridge('inhibit_ipv4')) ?? false,
    mode4: gatewayMode(options, bridge('gateway_mode_ipv4'), internal),
    mode6: gatewayMode(options, bridge('gateway_mode_ipv6'), internal),
    trusted: (options[bridge('trusted_host_interfaces')] ?? '').split(':').filter((link) => link !== ''),
    mtu: mtu(options),
    source4: address(options, 'com.docker.network.host_ipv4', 4),
    source6: address(options, 'com.docker.network.host_ipv6', 6),
  }
}

/** In which families a bridge network has no router, so that even the first address is a container's. */
export function isolatedFamilies(options: Options, internal: boolean): ReadonlySet<'ipv4' | 'ipv6'> {
  const { mode4, mode6 } = readBridgeOptions(options, internal)
  return new Set([...(mode4 === 'isolated' ? ['ipv4' as const] : []), ...(mode6 === 'isolated' ? ['ipv6' as const] : [])])
}

/** Option `com.docker.network.driver.mtu`, in bytes. */
export function mtu(options: Options): number | undefined {
  const key = 'com.docker.network.driver.mtu'
  const text = options[key]
  if (text === undefined || text === '') return undefined
  if (!/^[+-]?\d+$/.test(text)) throw unparsed(key, text, `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
  if (Number(text) < 0) throw new EngineError('invalid-argument', `invalid MTU number: ${text}`)
  if (Number(text) !== 0 && (Number(text) < 68 || Number(text) > 65_535)) throw new EngineError('invalid-argument', `invalid MTU number: ${text}: it must lie between 68 and 65535`)
  return Number(text) || undefined
}

/** What containers' links are called before their number: `com.docker.network.container_iface_prefix`. */
export function interfacePrefix(options: Options): string {
  const prefix = options['com.docker.network.container_iface_prefix'] || 'eth'
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}$/.test(prefix)) throw new EngineError('invalid-argument', `invalid interface name prefix: ${JSON.stringify(prefix)}`)
  return prefix
}

/** Go's strconv.ParseBool. */
function flag(options: Options, key: string): boolean | undefined {
  const text = options[key]
  if (text === undefined) return undefined
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false
  throw unparsed(key, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

function gatewayMode(options: Options, key: string, internal: boolean): GatewayMode | undefined {
  const text = options[key]
  if (text === undefined || text === '') return undefined
  const mode = modes.find((known) => known === text)
  if (mode === undefined) throw unparsed(key, text, `unknown gateway mode ${text}`)
  if (mode === 'isolated' && !internal) throw new EngineError('invalid-argument', `gateway mode 'isolated' can only be used for an internal network`)
  return mode
}

function address(options: Options, key: string, family: 4 | 6): string | undefined {
  const text = options[key]
  if (text === undefined || text === '') return undefined
  if (isIP(text) !== family) throw unparsed(key, text, isIP(text) === 0 ? 'nil ip' : `invalid IPv${family} address`)
  return text
}

function unparsed(key: string, text: string, why: string): EngineError {
  return new EngineError('invalid-argument', `failed to parse ${key} value: ${text} (${why})`)
}
