import { readFileSync } from 'node:fs'
import { formatIpAddress } from '@engine/linux/netlink'

/** TCP_LISTEN, and a datagram socket's state, as /proc/net/tcp and udp show them (proc(5)). */
const open = { tcp: '0A', udp: '07' } as const

/**
 * The addresses at which a port is served in a process's network namespace; none where nothing listens.
 * @param pid of a process in it; `self` for this one's own
 */
export function listeners(pid: number | 'self', protocol: 'tcp' | 'udp', port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return [protocol, `${protocol}6`].flatMap((list) =>
    lines(`/proc/${pid}/net/${list}`).flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/)
      return local.endsWith(wanted) && state === open[protocol] ? [readAddress(local.slice(0, -wanted.length))] : []
    }),
  )
}

/** An address of 32-bit words in the machine's order. */
function readAddress(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.subarray(i * 4, i * 4 + 4).toReversed())
  return formatIpAddress(Buffer.concat(words))
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1)
  } catch {
    return []
  }
}
