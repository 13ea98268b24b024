import { Errno } from '../errno.ts'
import { failedWith } from '../syscall-error.ts'
import { parseAttributes, writeString } from './attributes.ts'
import { NetlinkSocket } from './socket.ts'

/** NFTA_GEN_ID (linux/netfilter/nf_tables.h). */
const generationId = 1
const headerLength = 4
/** NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME. */
const [chainTable, chainName] = [1, 3]
/** `nfgen_family` (linux/netfilter.h: NFPROTO_INET, NFPROTO_BRIDGE). */
const families = { inet: 1, bridge: 7 } as const

/** Tells whether anybody has changed the rules of nf_tables in this network namespace: the kernel counts transactions. */
export class NftablesGeneration implements Disposable {
  readonly #socket = new NetlinkSocket('NETLINK_NETFILTER')

  /** The number of the last transaction; one system call each way, some 10 µs. */
  read(): number {
    const answer = this.#socket.request('NFT_MSG_GETGEN', Buffer.alloc(headerLength), 0, () => ({}))
    const id = answer === undefined ? undefined : parseAttributes(answer.payload.subarray(headerLength)).get(generationId)
    return id?.readUInt32BE(0) ?? 0
  }

  /** Whether there is such a chain; as quick, while a listing by libnftables fetches all that the table holds. */
  hasChain(family: keyof typeof families, table: string, chain: string): boolean {
    try {
      this.#socket.request('NFT_MSG_GETCHAIN', Buffer.concat([Buffer.of(families[family], 0, 0, 0), writeString(chainTable, table), writeString(chainName, chain)]), 0, () => ({ family, table, chain }))
      return true
    } catch (error) {
      if (failedWith(error, Errno.ENOENT)) return false
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }
}
