import { BlockList, isIP } from 'node:net'
import { CommandError } from './command.ts'

/** One subnet, as POST /networks/create takes it. */
interface IpamConfig {
  readonly Subnet: string
  IPRange?: string
  Gateway?: string
  AuxiliaryAddresses?: Record<string, string>
}

/**
 * Puts ranges, gateways and auxiliary addresses to the subnets that hold them.
 * @throws CommandError with docker's text
 */
export function ipamConfig(given: { readonly subnets: readonly string[]; readonly ranges: readonly string[]; readonly gateways: readonly string[]; readonly auxiliary: Readonly<Record<string, string>> }): IpamConfig[] {
  const { subnets, ranges, gateways, auxiliary } = given
  if (subnets.length < ranges.length || subnets.length < gateways.length) throw new CommandError('every ip-range or gateway must have a corresponding subnet')
  const configs: IpamConfig[] = []
  for (const subnet of subnets) {
    if (configs.some(({ Subnet: other }) => holds(other, subnet) || holds(subnet, other))) throw new CommandError('multiple overlapping subnet configuration is not supported')
    configs.push({ Subnet: subnet })
  }
  const holder = (address: string, what: string): IpamConfig => {
    const found = configs.find(({ Subnet }) => holds(Subnet, address))
    if (found === undefined) throw new CommandError(`no matching subnet for ${what} ${address}`)
    return found
  }
  for (const range of ranges) {
    const config = holder(range, 'range')
    if (config.IPRange !== undefined) throw new CommandError(`cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`)
    config.IPRange = range
  }
  for (const gateway of gateways) {
    const config = holder(gateway, 'gateway')
    if (config.Gateway !== undefined) throw new CommandError(`cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`)
    config.Gateway = gateway
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    const config = holder(address, 'aux-address')
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address }
  }
  return configs
}

/** Whether a subnet holds an address, or another's first one. What is none holds nothing; the daemon says so. */
function holds(subnet: string, other: string): boolean {
  const [network = '', prefix = ''] = subnet.split('/')
  const [address = ''] = other.split('/')
  const family = isIP(network)
  if (family === 0 || family !== isIP(address) || !/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}
