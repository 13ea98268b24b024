import { isIP } from 'node:net'
import { EngineError } from '@engine/linux'
import { contains, formatCidr, isIPv6, networkOf, parseCidr, type Cidr } from '@engine/network'
import type { CreateNetwork } from '../interface.ts'
import type { IpamPool } from './networks-table.ts'

const loopback = parseCidr('127.0.0.0/8')

type Given = NonNullable<CreateNetwork['IPAM']>['Config']

/**
 * The subnets that a client asks for, checked, in Docker's words (moby api/types/network, ValidateIPAM). Those of IPv6 are passed
 * over where the network has none.
 * @throws EngineError invalid-argument with all mistakes
 */
export function readIpamConfig(given: Given, enableIPv6: boolean): IpamPool[] {
  const mistakes: string[] = []
  const pools = (given ?? []).flatMap((config): IpamPool[] => {
    const { IPRange: range = '', Gateway: gateway = '', Subnet: text = '' } = defined(config)
    const subnet = parsed(text)
    if (subnet === undefined) {
      mistakes.push(`invalid subnet ${text}: invalid CIDR block notation`)
      return []
    }
    if (!enableIPv6 && isIPv6(subnet)) return []
    if (subnet.prefix >= loopback.prefix && contains(loopback, subnet.address)) mistakes.push(`invalid subnet ${text}: addresses of 127.0.0.0/8 do not leave their host`)
    if (networkOf(subnet).address !== subnet.address) mistakes.push(`invalid subnet ${text}: it should be ${formatCidr(networkOf(subnet))}`)
    const auxiliary = config.AuxiliaryAddresses ?? {}
    if (range !== '') mistakes.push(...rangeMistakes(range, subnet))
    if (gateway !== '') mistakes.push(...addressMistakes(gateway, subnet).map((why) => `invalid gateway ${gateway}: ${why}`))
    for (const [name, address] of Object.entries(auxiliary)) mistakes.push(...addressMistakes(address, subnet).map((why) => `invalid auxiliary address ${name}: ${why}`))
    return [{
      subnet: formatCidr(subnet),
      chosen: false,
      ...(range === '' ? {} : { range }),
      ...(gateway === '' ? {} : { gateway }),
      ...(Object.keys(auxiliary).length === 0 ? {} : { auxiliary: { ...auxiliary } }),
    }]
  })
  if (mistakes.length > 0) throw new EngineError('invalid-argument', `invalid network config:\n${mistakes.join('\n')}`)
  return pools
}

function defined(config: NonNullable<Given>[number]): { IPRange?: string; Gateway?: string; Subnet?: string } {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => typeof value === 'string'))
}

function rangeMistakes(text: string, subnet: Cidr): string[] {
  const range = parsed(text)
  const wrong = (why: string): string[] => [`invalid ip-range ${text}: ${why}`]
  if (range === undefined) return wrong('invalid CIDR block notation')
  if (isIPv6(range) !== isIPv6(subnet)) return wrong(`parent subnet is an ${isIPv6(subnet) ? 'IPv6' : 'IPv4'} block`)
  if (range.prefix < subnet.prefix) return wrong(`CIDR block is bigger than its parent subnet ${formatCidr(subnet)}`)
  if (networkOf(range).address !== range.address) return wrong(`it should be ${formatCidr(networkOf(range))}`)
  return contains(subnet, range.address) ? [] : wrong(`parent subnet ${formatCidr(subnet)} doesn't contain ip-range`)
}

function addressMistakes(text: string, subnet: Cidr): string[] {
  if (isIP(text) === 0) return ['invalid address']
  if (text.includes(':') !== isIPv6(subnet)) return [`parent subnet is an ${isIPv6(subnet) ? 'IPv6' : 'IPv4'} block`]
  return contains(subnet, text) ? [] : [`parent subnet ${formatCidr(subnet)} doesn't contain this address`]
}

function parsed(text: string): Cidr | undefined {
  try {
    return parseCidr(text)
  } catch {
    return undefined
  }
}
