import { Errno } from '../errno.ts'
import { failedWith } from '../syscall-error.ts'
import type { TracedValue } from '../tracer.ts'
import { parseAttributes, readNested, writeAttribute, writeNested, writeU32, writeU8 } from './attributes.ts'
import { familyOf, parseIpAddress } from './ip-address.ts'
import { NetlinkSocket } from './socket.ts'

/** linux/netfilter/nfnetlink_conntrack.h */
const Cta = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, FILTER: 25 } as const
const Tuple = { IP: 1, PROTO: 2 } as const
const Ip = { V4_SRC: 1, V6_SRC: 3 } as const
const Proto = { NUMBER: 1, DESTINATION_PORT: 3 } as const
const Filter = { ORIG_FLAGS: 1, REPLY_FLAGS: 2 } as const
const FilterFlag = { IP_SRC: 1 << 0, PROTO_NUMBER: 1 << 3 } as const
const protocols = { tcp: 6, udp: 17, sctp: 132 } as const
const headerLength = 4

type Args = Readonly<Record<string, TracedValue>>

/**
 * Takes connections out of the kernel's record of them (conntrack(8)), by messages of ctnetlink. The kernel looks for them itself
 * (CTA_FILTER, Linux 5.8), which takes its time in a large table: another thread waits for it.
 */
export const conntrack = {
  /**
   * Forgets what is led to an address, and is answered by it.
   * @param still asked again once the kernel has searched: somebody else may have the address by then
   * @returns how many connections
   */
  async forgetAnsweredBy(address: string, still: () => boolean = () => true): Promise<number> {
    const bytes = parseIpAddress(address)
    const source = writeNested(Tuple.IP, writeAttribute(bytes.length === 4 ? Ip.V4_SRC : Ip.V6_SRC, bytes))
    return forget(familyOf(bytes), [writeNested(Cta.TUPLE_REPLY, source), writeFilter(0, FilterFlag.IP_SRC)], still, { answeredBy: address })
  },

  /**
   * Forgets what goes to ports, at whatever address. What went there before a rule was laid goes on without it as long as packets
   * come: a client of UDP does not begin anew.
   * @param family of the addresses: 2 for IPv4, 10 for IPv6
   * @returns how many connections
   */
  async forgetTo(family: number, protocol: keyof typeof protocols, ports: ReadonlySet<number>): Promise<number> {
    const proto = writeNested(Tuple.PROTO, writeU8(Proto.NUMBER, protocols[protocol]))
    const meant = (original: Buffer): boolean => {
      const port = readNested(parseAttributes(original).get(Tuple.PROTO)).get(Proto.DESTINATION_PORT)
      return port !== undefined && ports.has(port.readUInt16BE(0))
    }
    return forget(family, [writeNested(Cta.TUPLE_ORIG, proto), writeFilter(FilterFlag.PROTO_NUMBER, 0)], meant, { protocol, ports: ports.size })
  },
}

async function forget(family: number, filter: readonly Buffer[], meant: (original: Buffer) => boolean, args: Args): Promise<number> {
  using socket = new NetlinkSocket('NETLINK_NETFILTER')
  const found = await socket.dumpApart('IPCTNL_MSG_CT_GET', Buffer.concat([writeHeader(family), ...filter]), () => args)
  let forgotten = 0
  for (const { payload } of found) {
    const original = parseAttributes(payload.subarray(headerLength)).get(Cta.TUPLE_ORIG)
    if (original !== undefined && meant(original) && deleted(socket, payload.readUInt8(0), original, args)) forgotten++
  }
  return forgotten
}

function deleted(socket: NetlinkSocket, family: number, original: Buffer, args: Args): boolean {
  try {
    socket.request('IPCTNL_MSG_CT_DELETE', Buffer.concat([writeHeader(family), writeNested(Cta.TUPLE_ORIG, original)]), 0, () => args)
    return true
  } catch (error) {
    // It has come to its own end.
    if (failedWith(error, Errno.ENOENT)) return false
    throw error
  }
}

/** Which parts of the tuples beside it the kernel compares. */
function writeFilter(original: number, reply: number): Buffer {
  return writeNested(Cta.FILTER, writeU32(Filter.ORIG_FLAGS, original), writeU32(Filter.REPLY_FLAGS, reply))
}

/** struct nfgenmsg: u8 family, u8 version, u16 resource. */
function writeHeader(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0])
}
