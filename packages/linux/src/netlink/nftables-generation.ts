import { parseAttributes } from './attributes.ts'
import { NetlinkSocket } from './socket.ts'

/** NFTA_GEN_ID (linux/netfilter/nf_tables.h). */
const generationId = 1
const headerLength = 4

/** Tells whether anybody has changed the rules of nf_tables in this network namespace: the kernel counts transactions. */
export class NftablesGeneration implements Disposable {
  readonly #socket = new NetlinkSocket('NETLINK_NETFILTER')

  /** The number of the last transaction; one system call each way, some 10 µs. */
  read(): number {
    const answer = this.#socket.request('NFT_MSG_GETGEN', Buffer.alloc(headerLength), 0, () => ({}))
    const id = answer === undefined ? undefined : parseAttributes(answer.payload.subarray(headerLength)).get(generationId)
    return id?.readUInt32BE(0) ?? 0
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }
}
