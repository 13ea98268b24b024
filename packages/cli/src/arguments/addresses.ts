import { isIP } from 'node:net'
import { cut } from './csv.ts'

/** Checks one `--dns`. @throws Error with docker's text */
export function readAddress(given: string): string {
  const address = given.trim()
  if (isIP(address) === 0) throw new Error(`IP address is not correctly formatted: ${given}`)
  return address
}

/** Checks one `--dns-search`; `.` means none. @throws Error with docker's text */
export function readSearchDomain(given: string): string {
  const domain = given.trim()
  if (domain === '.') return domain
  const label = '[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
  if (domain.length > 255 || !new RegExp(`^(:?(:?${label}|[a-zA-Z0-9_]+)(?:\\.(?:${label}|[a-zA-Z0-9_]+))*)\\.?$`).test(domain)) {
    throw new Error(`${domain} is not a valid domain`)
  }
  return domain
}

/** Checks one `--add-host`: `name:address`, `name=address`, or `name:host-gateway`; yields `name:address`. @throws Error with docker's text */
export function readExtraHost(given: string): string {
  const equals = cut(given, '=')
  const [name, address] = equals[1] === undefined || equals[0].includes(':') ? cut(given, ':') : equals
  if (address === undefined || name === '') throw new Error(`bad format for add-host: ${JSON.stringify(given)}`)
  const bare = address.replace(/^\[(.*)\]$/, '$1')
  if (address !== 'host-gateway' && isIP(bare) === 0) throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`)
  return `${name}:${bare}`
}

/** Checks one `--link`: `name` or `name:alias`. @throws Error with docker's text */
export function readLink(given: string): string {
  if (given === '') throw new Error('empty string specified for links')
  if (given.split(':').length > 2) throw new Error(`bad format for links: ${given}`)
  return given
}

/** Whether the text is an Ethernet address as Go's net.ParseMAC takes it. */
export function isMacAddress(given: string): boolean {
  return /^([0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(\2[0-9a-fA-F]{2}){4}((\2[0-9a-fA-F]{2}){2})?|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2,3})$/.test(given.trim())
}
