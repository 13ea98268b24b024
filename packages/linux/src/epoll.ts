import { arch } from 'node:process'
import { libc } from './libc.ts'
import { door } from './door.ts'

/** Event bits of epoll_ctl(2). ERR and HUP are always reported. */
export const Epoll = { IN: 1, PRI: 2, OUT: 4, ERR: 8, HUP: 0x10 } as const

const EPOLL_CLOEXEC = 0x80000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
const EPOLL_CTL_MOD = 3

// struct epoll_event is packed on x86-64 only.
const EVENT_SIZE = arch === 'x64' ? 12 : 16
const DATA_OFFSET = arch === 'x64' ? 4 : 8

const create = libc.func('int epoll_create1(int)') as (flags: number) => number
const control = libc.func('int epoll_ctl(int, int, int, void *)') as (epfd: number, op: number, fd: number, event: Buffer | null) => number

interface Wait {
  (epfd: number, events: Buffer, maximum: number, timeout: number): number
  async(epfd: number, events: Buffer, maximum: number, timeout: number, done: (error: Error | null, count: number) => void): void
}
const wait = libc.func('int epoll_wait(int, void *, int, int)') as unknown as Wait

/** epoll_create1(2), close-on-exec. */
export function epollCreate(): number {
  return door('epoll_create1', () => ({ flags: 'EPOLL_CLOEXEC' }), () => create(EPOLL_CLOEXEC))
}

function event(events: number, token: number): Buffer {
  const bytes = Buffer.alloc(EVENT_SIZE)
  bytes.writeUInt32LE(events, 0)
  bytes.writeUInt32LE(token, DATA_OFFSET)
  return bytes
}

/** Watches `fd`, level-triggered. `token` (32 bits) comes back with its events. */
export function epollAdd(epfd: number, fd: number, events: number, token: number): void {
  door('epoll_ctl', () => ({ epfd, op: 'ADD', fd, events }), () => control(epfd, EPOLL_CTL_ADD, fd, event(events, token)))
}

/** Changes what `fd` is watched for. */
export function epollModify(epfd: number, fd: number, events: number, token: number): void {
  door('epoll_ctl', () => ({ epfd, op: 'MOD', fd, events }), () => control(epfd, EPOLL_CTL_MOD, fd, event(events, token)))
}

/** Watches `fd` no more; to be called before it is closed. */
export function epollDelete(epfd: number, fd: number): void {
  door('epoll_ctl', () => ({ epfd, op: 'DEL', fd }), () => control(epfd, EPOLL_CTL_DEL, fd, null))
}

/** Room for the answer of one wait. */
export class EpollEvents {
  readonly capacity: number
  readonly bytes: Buffer

  constructor(capacity: number) {
    this.capacity = capacity
    this.bytes = Buffer.alloc(capacity * EVENT_SIZE)
  }

  events(index: number): number {
    return this.bytes.readUInt32LE(index * EVENT_SIZE)
  }

  token(index: number): number {
    return this.bytes.readUInt32LE(index * EVENT_SIZE + DATA_OFFSET)
  }
}

/** What is ready now, without waiting. @returns how many events were stored */
export function epollPoll(epfd: number, events: EpollEvents): number {
  return door('epoll_wait', () => ({ epfd, timeout: 0 }), () => wait(epfd, events.bytes, events.capacity, 0))
}

/** Waits on this thread, which does nothing else meanwhile. @param timeout milliseconds; -1 without end @returns how many events were stored */
export function epollBlock(epfd: number, events: EpollEvents, timeout: number): number {
  return door('epoll_wait', () => ({ epfd, timeout }), () => wait(epfd, events.bytes, events.capacity, timeout))
}

/**
 * Waits in a thread of libuv's pool, without end, until something is ready; then `done` is called on this thread with the number
 * of events (0 when the wait was interrupted: ask epollPoll). Descriptors may be added and removed meanwhile.
 * A process with such a wait in flight does not exit by process.exit() before it has ended: wake it first.
 */
export function epollWait(epfd: number, events: EpollEvents, done: (count: number) => void): void {
  wait.async(epfd, events.bytes, events.capacity, -1, (_error, count) => done(Math.max(count, 0)))
}
