import { Errno, failedWith } from '@engine/linux'
import { readSysctl, writeSysctl } from '@engine/linux/sysctl'

/**
 * Turns IPv6 off for one link of this thread's namespace, before it goes up. A link of an IPv4 network would else give itself a
 * link-local address (CVE-2024-32473). Nothing happens on a kernel without IPv6.
 */
export function disableIPv6(link: string): void {
  set(`net/ipv6/conf/${link}/disable_ipv6`, '1')
}

/** Turns IPv6 on for one link of this thread's namespace, whatever the default is. @throws SyscallError ENOENT on a kernel without IPv6 */
export function enableIPv6(link: string): void {
  writeSysctl(`net/ipv6/conf/${link}/disable_ipv6`, '0')
}

/** Has a link believe no router that a neighbour claims to be (CVE-2020-13401), even if its IPv6 is turned on again. */
export function ignoreRouterAdvertisements(link: string): void {
  set(`net/ipv6/conf/${link}/accept_ra`, '0')
}

/** Whether the host forwards IPv6 packets between its links. */
export function isForwardingIPv6(): boolean {
  return readSysctl('net/ipv6/conf/all/forwarding') !== '0'
}

/**
 * Turns the forwarding of IPv6 on. A router does not believe other routers: links that have their addresses from router
 * advertisements would lose them, so those are told to go on believing (`accept_ra` 2).
 * @param links names of the host's links
 */
export function turnOnForwardingIPv6(links: readonly string[]): void {
  for (const link of links) if (get(`net/ipv6/conf/${link}/accept_ra`) === '1') set(`net/ipv6/conf/${link}/accept_ra`, '2')
  writeSysctl('net/ipv6/conf/all/forwarding', '1')
}

/** Turns the forwarding of IPv6 off. */
export function turnOffForwardingIPv6(): void {
  writeSysctl('net/ipv6/conf/all/forwarding', '0')
}

function get(name: string): string | undefined {
  try {
    return readSysctl(name)
  } catch (error) {
    if (failedWith(error, Errno.ENOENT)) return undefined
    throw error
  }
}

function set(name: string, value: string): void {
  try {
    writeSysctl(name, value)
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT)) throw error
  }
}
