import { Descriptor } from './descriptor.ts'
import { door, lenientDoor } from './door.ts'
import { Errno } from './errno.ts'
import { addressOf, libc } from './libc.ts'
import { decodeWaitStatus, type ProcessEnd } from './wait.ts'

const socketCall = libc.func('int socket(int domain, int type, int protocol)')
const setsockoptCall = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)')
const bindCall = libc.func('int bind(int fd, const void *address, uint32_t length)')
const sendCall = libc.func('long send(int fd, const void *bytes, size_t length, int flags)')
const recvCall = libc.func('long recv(int fd, void *bytes, size_t length, int flags)')

const AF_NETLINK = 16
const NETLINK_CONNECTOR = 11
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000
const MSG_DONTWAIT = 0x40
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const SO_RCVBUFFORCE = 33
/** Bytes: some thousand messages, for moments in which a busy host's processes end faster than they are read. */
const room = 4 * 1024 * 1024

/** linux/connector.h, linux/cn_proc.h */
const CN_IDX_PROC = 1
const CN_VAL_PROC = 1
const PROC_CN_MCAST_LISTEN = 1
const PROC_EVENT_EXIT = 0x8000_0000
const NLMSG_DONE = 3
/** struct nlmsghdr (16 bytes), struct cn_msg (20), then struct proc_event: what@0, cpu@4, timestamp@8, and of an exit process_pid@16, process_tgid@20, exit_code@24. */
const EVENT = 36
const THREAD = EVENT + 16
const TGID = EVENT + 20
const EXIT_CODE = EVENT + 24
const MESSAGE_BYTES = 4096

/** Classic BPF; it loads words in network order, so that PROC_EVENT_EXIT looks like this. */
const onlyExits = Buffer.concat([
  instruction(0x20, 0, 0, EVENT), // ld [EVENT]
  instruction(0x15, 0, 1, 0x80), // jeq #PROC_EVENT_EXIT: the next, else the one after it
  instruction(0x06, 0, 0, 0xffff_ffff), // ret all
  instruction(0x06, 0, 0, 0), // ret nothing
])

/**
 * Who ends on this host, and how, as the kernel tells all that listen (proc connector, Documentation/driver-api/connector.rst,
 * drivers/connector/cn_proc.c): for processes that are no children of ours, on kernels whose pidfds do not tell (before Linux 6.15).
 * Only for who is in the host's own network, PID and user namespace, with CAP_NET_ADMIN.
 */
export class ProcessExits implements Disposable {
  readonly #socket: Descriptor
  readonly #message = Buffer.alloc(MESSAGE_BYTES)

  /** Listens from now on. @throws SyscallError where the kernel does not tell this process */
  constructor() {
    this.#socket = new Descriptor(door('socket', () => ({ domain: 'AF_NETLINK', type: 'SOCK_DGRAM', protocol: 'NETLINK_CONNECTOR' }), () => Number(socketCall(AF_NETLINK, SOCK_DGRAM_CLOEXEC, NETLINK_CONNECTOR))))
    try {
      this.#listen()
    } catch (error) {
      this.#socket.close()
      throw error
    }
  }

  /** Is readable when there is something for {@link read}. */
  get fd(): number {
    return this.#socket.fd
  }

  /**
   * Takes what has been told since the last call. Threads are told of one by one, also of those that end while their process goes on.
   * The kernel tells just after the process can be waited for.
   * @param exited gets the process, how a thread of it ended, and whether that was the first, whose number is the process's
   */
  read(exited: (pid: number, end: ProcessEnd, first: boolean) => void): void {
    const message = this.#message
    for (;;) {
      const length = lenientDoor('recv', () => ({ fd: this.fd }), [Errno.EAGAIN, Errno.ENOBUFS], () => Number(recvCall(this.fd, message, MESSAGE_BYTES, MSG_DONTWAIT)))
      if (length === -Errno.EAGAIN) return
      // There was no room for some, which are lost.
      if (length < EXIT_CODE + 4 || message.readUInt32LE(EVENT) !== PROC_EVENT_EXIT) continue
      const pid = message.readInt32LE(TGID)
      exited(pid, decodeWaitStatus(message.readInt32LE(EXIT_CODE)), message.readInt32LE(THREAD) === pid)
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }

  #listen(): void {
    this.#option(SO_RCVBUFFORCE, 'SO_RCVBUFFORCE', int32(room))
    this.#onlyExits()
    const address = Buffer.concat([int32(AF_NETLINK), int32(0), int32(CN_IDX_PROC)])
    door('bind', () => ({ fd: this.fd, group: 'CN_IDX_PROC' }), () => Number(bindCall(this.fd, address, address.length)))
    const length = EVENT + 4
    const request = Buffer.alloc(length)
    request.writeUInt32LE(length, 0)
    request.writeUInt16LE(NLMSG_DONE, 4)
    request.writeUInt32LE(CN_IDX_PROC, 16)
    request.writeUInt32LE(CN_VAL_PROC, 20)
    request.writeUInt16LE(4, 32)
    request.writeUInt32LE(PROC_CN_MCAST_LISTEN, EVENT)
    // The kernel has taken it when this returns.
    door('send', () => ({ fd: this.fd, message: 'PROC_CN_MCAST_LISTEN' }), () => Number(sendCall(this.fd, request, length, 0)))
  }

  /** Has the kernel drop what tells of forks and the like. */
  #onlyExits(): void {
    const program = Buffer.alloc(16)
    program.writeUInt16LE(onlyExits.length / 8, 0)
    program.writeBigUInt64LE(addressOf(onlyExits), 8)
    this.#option(SO_ATTACH_FILTER, 'SO_ATTACH_FILTER', program)
  }

  #option(name: number, shown: string, value: Buffer): void {
    door('setsockopt', () => ({ fd: this.fd, name: shown }), () => Number(setsockoptCall(this.fd, SOL_SOCKET, name, value, value.length)))
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

/** struct sock_filter */
function instruction(code: number, whenTrue: number, whenFalse: number, k: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(code, 0)
  bytes.writeUInt8(whenTrue, 2)
  bytes.writeUInt8(whenFalse, 3)
  bytes.writeUInt32LE(k, 4)
  return bytes
}
