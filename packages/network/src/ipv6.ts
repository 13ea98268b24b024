import { Errno, failedWith } from '@engine/linux'
import { writeSysctl } from '@engine/linux/sysctl'

/**
 * Turns IPv6 off for one link of this thread's namespace, before it goes up. A link of an IPv4 network would else give itself a
 * link-local address (CVE-2024-32473). Nothing happens on a kernel without IPv6.
 */
export function disableIPv6(link: string): void {
  set(`net/ipv6/conf/${link}/disable_ipv6`, '1')
}

/** Has a link believe no router that a neighbour claims to be (CVE-2020-13401), even if its IPv6 is turned on again. */
export function ignoreRouterAdvertisements(link: string): void {
  set(`net/ipv6/conf/${link}/accept_ra`, '0')
}

function set(name: string, value: string): void {
  try {
    writeSysctl(name, value)
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT)) throw error
  }
}
