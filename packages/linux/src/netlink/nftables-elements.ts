import { writeNested, writeAttribute, writeString } from './attributes.ts'
import { MessageFlag } from './message.ts'
import { NetlinkSocket } from './socket.ts'

/** linux/netfilter/nf_tables.h and nfnetlink.h. */
const NFTA_SET_ELEM_LIST_TABLE = 1
const NFTA_SET_ELEM_LIST_SET = 2
const NFTA_SET_ELEM_LIST_ELEMENTS = 3
const NFTA_LIST_ELEM = 1
const NFTA_SET_ELEM_KEY = 1
const NFTA_DATA_VALUE = 1
const NFPROTO_BRIDGE = 7
/** `nfgenmsg` of a batch: any family, version 0, the subsystem nf_tables (10) in network order. */
const batchHeader = Buffer.of(0, 0, 0, 10)

/** An element of a set that comes or goes. */
export interface ElementChange {
  readonly change: 'add' | 'delete'
  readonly set: string
  /** Its key as the kernel has it: fields of a concatenation each filled up to four bytes. */
  readonly key: Buffer
}

/**
 * Elements of sets in tables of family bridge, by netlink itself: libnftables looks at all sets of the host before each change, which
 * takes four times as long. Belongs to the network namespace that its thread was in.
 */
export class NftablesElements implements Disposable {
  readonly #socket = new NetlinkSocket('NETLINK_NETFILTER')

  /**
   * One transaction. To add what is there already changes nothing.
   * @param text the same in nft(8)'s language, for the ledger
   * @throws SyscallError ENOENT when there is no such table, set, or element to delete
   */
  change(table: string, changes: readonly ElementChange[], text: string): void {
    const messages = changes.map(({ change, set, key }) => ({
      name: change === 'add' ? ('NFT_MSG_NEWSETELEM' as const) : ('NFT_MSG_DELSETELEM' as const),
      flags: change === 'add' ? MessageFlag.CREATE : 0,
      answered: true,
      payload: Buffer.concat([
        Buffer.of(NFPROTO_BRIDGE, 0, 0, 0),
        writeString(NFTA_SET_ELEM_LIST_TABLE, table),
        writeString(NFTA_SET_ELEM_LIST_SET, set),
        writeNested(NFTA_SET_ELEM_LIST_ELEMENTS, writeNested(NFTA_LIST_ELEM, writeNested(NFTA_SET_ELEM_KEY, writeAttribute(NFTA_DATA_VALUE, key)))),
      ]),
    }))
    const edge = { payload: batchHeader, flags: 0, answered: false }
    this.#socket.batch('nft', [{ name: 'NFNL_MSG_BATCH_BEGIN', ...edge }, ...messages, { name: 'NFNL_MSG_BATCH_END', ...edge }], () => ({ text }))
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }
}
