import koffi from 'koffi'
import { closeSync } from 'node:fs'
import { door } from '../door.ts'
import { Errno, errnoName } from '../errno.ts'
import { libc } from '../libc.ts'
import { SyscallError } from '../syscall-error.ts'
import { tracer, type TracedValue } from '../tracer.ts'
import { MessageFlag, MessageType, parseMessages, parseOutcome, writeMessage, type NetlinkMessage, type NetlinkOutcome } from './message.ts'

const socketCall = libc.func('int socket(int domain, int type, int protocol)')
const setsockoptCall = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)')
const sendCall = libc.func('long send(int fd, const void *bytes, size_t length, int flags)')
const recvCall = libc.func('long recv(int fd, void *bytes, size_t length, int flags)')

const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0x80000
/** Families of netlink (linux/netlink.h). */
const families = { NETLINK_ROUTE: 0, NETLINK_NETFILTER: 12 } as const
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const MSG_TRUNC = 0x20
const MSG_NOSIGNAL = 0x4000
/** Only a broken kernel makes a request wait; without a limit it would stop the whole thread. */
const replySeconds = 10n
/** How often a dump that was disturbed by changes is begun anew. */
const dumpAttempts = 20

/** Answers are read on this thread, one request at a time, and copied out of here. The kernel's datagrams are at most 32 KiB. */
const replyBuffer = Buffer.alloc(64 * 1024)

type Args = Readonly<Record<string, TracedValue>>

/**
 * A netlink socket of the routing family (rtnetlink(7)), or of netfilter's. It belongs for its life to the network namespace in which this
 * thread was when it was made, wherever the thread is later. Requests are synchronous: the kernel handles a message within
 * send(2), and the answer lies ready.
 */
export class NetlinkSocket implements Disposable {
  #fd: number
  #sequence = 0

  /** @throws SyscallError when no descriptor is to be had */
  constructor(protocol: keyof typeof families = 'NETLINK_ROUTE') {
    this.#fd = door('socket', () => ({ domain: 'AF_NETLINK', type: 'SOCK_RAW', protocol }), () => Number(socketCall(AF_NETLINK, SOCK_RAW_CLOEXEC, families[protocol])))
    try {
      const on = Buffer.from([1, 0, 0, 0])
      this.#setOption(SOL_NETLINK, NETLINK_CAP_ACK, 'NETLINK_CAP_ACK', on)
      this.#setOption(SOL_NETLINK, NETLINK_EXT_ACK, 'NETLINK_EXT_ACK', on)
      this.#setOption(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 'NETLINK_GET_STRICT_CHK', on)
      const timeout = Buffer.alloc(16)
      timeout.writeBigInt64LE(replySeconds)
      this.#setOption(SOL_SOCKET, SO_RCVTIMEO, 'SO_RCVTIMEO', timeout)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /**
   * Sends one request and waits for its answer: the message asked for, or undefined where the kernel only acknowledges.
   * @param name  the request's type, as the ledger shows it: `RTM_NEWLINK`
   * @param flags besides REQUEST and ACK
   * @param args  the decoded request, for the ledger and errors
   * @throws SyscallError `netlink RTM_…` with the kernel's errno and its own words in `args.reason`
   */
  request(name: keyof typeof MessageType, payload: Buffer, flags: number, args: () => Args): NetlinkMessage | undefined {
    let answer: NetlinkMessage | undefined
    let reason: string | undefined
    door(`netlink ${name}`, () => withReason(args(), reason), () => {
      const sequence = this.#nextSequence()
      reason = undefined
      if (this.#send({ type: MessageType[name], flags: flags | MessageFlag.REQUEST | MessageFlag.ACK, sequence, payload }) < 0) return -1
      for (;;) {
        const messages = this.#receive((one) => one === sequence)
        if (messages === undefined) return -1
        for (const message of messages) {
          if (message.type !== MessageType.ERROR) answer = copy(message)
          else {
            const outcome = parseOutcome(message)
            reason = outcome.text
            return failed(outcome.errno)
          }
        }
      }
    })
    return answer
  }

  /**
   * Sends requests in one datagram, and waits until each is answered; netfilter applies what lies between a beginning and an end of a
   * batch as a whole, or nothing.
   * @param call what the ledger calls it
   * @throws SyscallError with the first errno that the kernel has
   */
  batch(call: string, requests: readonly { readonly name: keyof typeof MessageType; readonly payload: Buffer; readonly flags: number; readonly answered: boolean }[], args: () => Args): void {
    let reason: string | undefined
    door(call, () => withReason(args(), reason), () => {
      const open = new Set<number>()
      const all = new Set<number>()
      const messages = requests.map(({ name, payload, flags, answered }) => {
        const sequence = this.#nextSequence()
        all.add(sequence)
        if (answered) open.add(sequence)
        return writeMessage({ type: MessageType[name], flags: flags | MessageFlag.REQUEST | (answered ? MessageFlag.ACK : 0), sequence, payload })
      })
      if (this.#sendBytes(Buffer.concat(messages)) < 0) return -1
      while (open.size > 0) {
        const answers = this.#receive((sequence) => all.has(sequence))
        if (answers === undefined) return -1
        for (const answer of answers) {
          if (answer.type !== MessageType.ERROR) continue
          const outcome = parseOutcome(answer)
          reason = outcome.text
          // Of the others nothing came about either.
          if (outcome.errno !== 0) return failed(outcome.errno)
          open.delete(answer.sequence)
        }
      }
      return 0
    })
  }

  /**
   * As request, for changes that keep the kernel waiting for its grace periods (a link's removal: 20 to 30 ms): send(2) runs on a
   * thread of libuv's pool meanwhile. Needs a socket of its own, on which nothing else is asked until this is done.
   */
  async requestApart(name: keyof typeof MessageType, payload: Buffer, flags: number, args: () => Args): Promise<void> {
    const report = tracer()
    const start = process.hrtime.bigint()
    const sequence = this.#nextSequence()
    const bytes = writeMessage({ type: MessageType[name], flags: flags | MessageFlag.REQUEST | MessageFlag.ACK, sequence, payload })
    const sent = await sendApart(this.#fd, bytes)
    // errno stays on the other thread; the one thing that can go wrong with a whole message on a good socket is a lack of memory.
    const outcome = sent < 0 ? { errno: Errno.ENOMEM, text: undefined } : this.#outcome(sequence)
    const shown = withReason(args(), outcome.text)
    const nanoseconds = Number(process.hrtime.bigint() - start)
    report?.({ call: `netlink ${name}`, args: shown, result: outcome.errno === 0 ? 0 : -1, ...(outcome.errno === 0 ? {} : { errno: errnoName(outcome.errno) }), nanoseconds })
    if (outcome.errno !== 0) throw new SyscallError(`netlink ${name}`, shown, outcome.errno)
  }

  /**
   * As dump, for tables that take the kernel long to search (262,144 buckets of connections: 10 ms and more): it does so within send(2),
   * on a thread of libuv's pool meanwhile. Needs a socket of its own. What changes meanwhile may be missed.
   */
  async dumpApart(name: keyof typeof MessageType, payload: Buffer, args: () => Args): Promise<NetlinkMessage[]> {
    const report = tracer()
    const start = process.hrtime.bigint()
    const sequence = this.#nextSequence()
    const entries: NetlinkMessage[] = []
    const sent = await sendApart(this.#fd, writeMessage({ type: MessageType[name], flags: MessageFlag.REQUEST | MessageFlag.DUMP, sequence, payload }))
    const errno = sent < 0 ? Errno.ENOMEM : this.#readDump(sequence, entries)
    const nanoseconds = Number(process.hrtime.bigint() - start)
    report?.({ call: `netlink ${name}`, args: args(), result: errno === 0 ? 0 : -1, ...(errno === 0 ? {} : { errno: errnoName(errno) }), nanoseconds })
    if (errno !== 0) throw new SyscallError(`netlink ${name}`, args(), errno)
    return entries
  }

  #readDump(sequence: number, entries: NetlinkMessage[]): number {
    for (;;) {
      const messages = this.#receive((one) => one === sequence)
      if (messages === undefined) return koffi.errno()
      for (const message of messages) {
        if (message.type === MessageType.DONE || message.type === MessageType.ERROR) return parseOutcome(message).errno
        entries.push(copy(message))
      }
    }
  }

  /** Receives until the acknowledgement of request `sequence` is there. */
  #outcome(sequence: number): NetlinkOutcome {
    for (;;) {
      const messages = this.#receive((one) => one === sequence)
      if (messages === undefined) return { errno: koffi.errno(), text: undefined }
      for (const message of messages) if (message.type === MessageType.ERROR) return parseOutcome(message)
    }
  }

  /**
   * Asks for a whole table, or what a filter in the payload leaves of it.
   * @throws SyscallError as request does; EAGAIN when the table changed during each of twenty attempts
   */
  dump(name: keyof typeof MessageType, payload: Buffer, args: () => Args): NetlinkMessage[] {
    let entries: NetlinkMessage[] = []
    let reason: string | undefined
    door(`netlink ${name}`, () => withReason(args(), reason), () => {
      for (let attempt = 0; attempt < dumpAttempts; attempt++) {
        entries = []
        const outcome = this.#dumpOnce(MessageType[name], payload, entries)
        if (outcome === undefined) return -1
        reason = outcome.text
        if (!outcome.interrupted) return failed(outcome.errno)
      }
      return failed(Errno.EAGAIN)
    })
    return entries
  }

  #dumpOnce(type: number, payload: Buffer, entries: NetlinkMessage[]): { errno: number; text: string | undefined; interrupted: boolean } | undefined {
    const sequence = this.#nextSequence()
    if (this.#send({ type, flags: MessageFlag.REQUEST | MessageFlag.DUMP, sequence, payload }) < 0) return undefined
    let interrupted = false
    for (;;) {
      const messages = this.#receive((one) => one === sequence)
      if (messages === undefined) return undefined
      for (const message of messages) {
        interrupted ||= (message.flags & MessageFlag.DUMP_INTERRUPTED) !== 0
        if (message.type === MessageType.DONE || message.type === MessageType.ERROR) return { ...parseOutcome(message), interrupted }
        entries.push(copy(message))
      }
    }
  }

  /** Closes the socket; nothing happens the second time. */
  close(): void {
    if (this.#fd < 0) return
    closeSync(this.#fd)
    this.#fd = -1
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence % 0xffffffff) + 1
    return this.#sequence
  }

  #send(message: NetlinkMessage): number {
    return this.#sendBytes(writeMessage(message))
  }

  #sendBytes(bytes: Buffer): number {
    for (;;) {
      const sent = Number(sendCall(this.#fd, bytes, bytes.length, MSG_NOSIGNAL))
      if (sent >= 0 || koffi.errno() !== Errno.EINTR) return sent
    }
  }

  /**
   * The next datagram's messages that answer a request by its sequence; those of one that was given up are passed over.
   * undefined with errno set when receiving failed. EINTR is handled here: the door must not send the request again.
   */
  #receive(answers: (sequence: number) => boolean): NetlinkMessage[] | undefined {
    for (;;) {
      const length = Number(recvCall(this.#fd, replyBuffer, replyBuffer.length, MSG_TRUNC))
      if (length < 0) {
        if (koffi.errno() === Errno.EINTR) continue
        return undefined
      }
      if (length > replyBuffer.length) {
        failed(Errno.E2BIG)
        return undefined
      }
      return parseMessages(replyBuffer.subarray(0, length)).filter(({ sequence }) => answers(sequence))
    }
  }

  #setOption(level: number, name: number, shown: string, value: Buffer): void {
    door('setsockopt', () => ({ fd: this.#fd, name: shown }), () => Number(setsockoptCall(this.#fd, level, name, value, value.length)))
  }
}

/** send(2) on another thread. @returns 0, or -1 when it failed */
function sendApart(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    sendCall.async(fd, bytes, bytes.length, MSG_NOSIGNAL, (error: Error | null, sent: number | bigint) => {
      // A datagram is sent whole. (To look at `bytes` here keeps them alive until then.)
      if (error === null) resolve(Number(sent) === bytes.length ? 0 : -1)
      else reject(error)
    })
  })
}

/** Turns the kernel's answer into what a system call would have returned, errno included. */
function failed(errno: number): number {
  if (errno === 0) return 0
  koffi.errno(errno)
  return -1
}

function withReason(args: Args, reason: string | undefined): Args {
  return reason === undefined ? args : { ...args, reason }
}

/** A message whose payload outlives the buffer it was received in. */
function copy(message: NetlinkMessage): NetlinkMessage {
  return { ...message, payload: Buffer.from(message.payload) }
}
