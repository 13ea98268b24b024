import { EngineError } from '../error.ts'
import { parseAttributes, readString } from './attributes.ts'

/** Types of netlink's own messages and of rtnetlink's (linux/netlink.h, linux/rtnetlink.h). */
export const MessageType = {
  NOOP: 1,
  ERROR: 2,
  DONE: 3,
  RTM_NEWLINK: 16,
  RTM_DELLINK: 17,
  RTM_GETLINK: 18,
  RTM_SETLINK: 19,
  RTM_NEWADDR: 20,
  RTM_DELADDR: 21,
  RTM_GETADDR: 22,
  RTM_NEWROUTE: 24,
  RTM_DELROUTE: 25,
  RTM_GETROUTE: 26,
  RTM_NEWNEIGH: 28,
  RTM_DELNEIGH: 29,
  RTM_GETNEIGH: 30,
  RTM_GETRULE: 34,
  NFNL_MSG_BATCH_BEGIN: 0x10,
  NFNL_MSG_BATCH_END: 0x11,
  /** Netfilter's: the subsystem (1 connection tracking, 10 nf_tables) in the upper byte. */
  IPCTNL_MSG_CT_GET: 0x101,
  IPCTNL_MSG_CT_DELETE: 0x102,
  NFT_MSG_GETCHAIN: 0xa04,
  NFT_MSG_NEWSETELEM: 0xa0c,
  NFT_MSG_DELSETELEM: 0xa0e,
  NFT_MSG_GETGEN: 0xa10,
} as const

/** `nlmsg_flags`. */
export const MessageFlag = {
  REQUEST: 0x01,
  MULTI: 0x02,
  ACK: 0x04,
  /** The table changed while it was dumped: entries may be missing. */
  DUMP_INTERRUPTED: 0x10,
  /** Of an error message: the request's payload is not repeated in it. */
  CAPPED: 0x100,
  /** Of an error message: attributes (a text) follow. */
  ACK_ATTRIBUTES: 0x200,
  REPLACE: 0x100,
  EXCLUSIVE: 0x200,
  CREATE: 0x400,
  DUMP: 0x300,
} as const

const headerLength = 16
const extendedErrorText = 1

export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly payload: Buffer
}

/** One message (struct nlmsghdr and payload): u32 length, u16 type, u16 flags, u32 sequence, u32 port (0: the kernel). */
export function writeMessage(message: NetlinkMessage): Buffer {
  const bytes = Buffer.alloc(headerLength + message.payload.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(message.type, 4)
  bytes.writeUInt16LE(message.flags, 6)
  bytes.writeUInt32LE(message.sequence, 8)
  message.payload.copy(bytes, headerLength)
  return bytes
}

/**
 * The messages of one datagram. Their payloads are views of `bytes`.
 * @throws EngineError internal when a length points outside of the datagram
 */
export function parseMessages(bytes: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  let offset = 0
  while (offset + headerLength <= bytes.length) {
    const length = bytes.readUInt32LE(offset)
    if (length < headerLength || offset + length > bytes.length) {
      throw new EngineError('internal', `malformed netlink message: length ${length} at ${offset} of ${bytes.length}`)
    }
    messages.push({
      type: bytes.readUInt16LE(offset + 4),
      flags: bytes.readUInt16LE(offset + 6),
      sequence: bytes.readUInt32LE(offset + 8),
      payload: bytes.subarray(offset + headerLength, offset + length),
    })
    offset += (length + 3) & ~3
  }
  return messages
}

/** How a request ended: errno (0 is success) and the kernel's own words for it, where it has any. */
export interface NetlinkOutcome {
  readonly errno: number
  readonly text: string | undefined
}

/** Reads NLMSG_ERROR (also the acknowledgement: errno 0) and NLMSG_DONE, whose first four bytes are a negative errno too. */
export function parseOutcome(message: NetlinkMessage): NetlinkOutcome {
  const { payload } = message
  const errno = payload.length >= 4 ? 0 - payload.readInt32LE(0) : 0
  if (errno === 0 || (message.flags & MessageFlag.ACK_ATTRIBUTES) === 0) return { errno, text: undefined }
  let offset = 4
  if (message.type === MessageType.ERROR) {
    if (payload.length < 4 + headerLength) return { errno, text: undefined }
    const requestLength = (message.flags & MessageFlag.CAPPED) === 0 ? payload.readUInt32LE(4) : headerLength
    // Checked before it is rounded up: & works on 31 bits.
    if (requestLength > payload.length - 4) return { errno, text: undefined }
    offset = 4 + ((requestLength + 3) & ~3)
  }
  if (offset > payload.length) return { errno, text: undefined }
  return { errno, text: readString(parseAttributes(payload.subarray(offset)).get(extendedErrorText)) }
}
