import { Errno } from '@engine/linux'
import { O_CLOEXEC } from '@engine/linux/openat2'
import { Label, Program } from '@engine/linux/program'
import { detach } from '../process/detach.ts'
import { closeAllBut } from '../process/descriptors.ts'
import { descriptorNames } from './shared-descriptors.ts'

/** What is kept of a process, in this order: first the directory that says whose the others are. */
export const keptNames = ['directory', ...descriptorNames] as const

const SOCKET = 0
/** Descriptors of a message get the lowest numbers that are free, and these always are. */
const RECEIVED = 1
/** From here on what is kept: a row of numbers for each process, one for each name. */
const KEPT = 8

const MSG_CMSG_CLOEXEC = 0x4000_0000
/** CMSG_SPACE of as many descriptors. */
const CONTROL_BYTES = 16 + 4 * keptNames.length
const FUTEX_WAIT = 0
const FUTEX_WAKE_OP = 5

/** The number that the keeper keeps a descriptor under. @param row of the process @param index in `keptNames` */
export function keptAt(row: number, index: number): number {
  return KEPT + row * keptNames.length + index
}

/** Which descriptor a number of the keeper's is of; undefined when it is none that it keeps. */
export function keptUnder(fd: number): { readonly row: number; readonly name: (typeof keptNames)[number] } | undefined {
  const name = keptNames[(fd - KEPT) % keptNames.length]
  return fd < KEPT || name === undefined ? undefined : { row: Math.floor((fd - KEPT) / keptNames.length), name }
}

/** One message to the keeper. */
export interface KeeperOrder {
  /** Numbers for the descriptors that come with the message, in their order. */
  readonly to: readonly number[]
  /** Numbers to close, from the first to the last. */
  readonly close?: readonly [number, number]
  /** Nothing is kept any more: without the shim there is no reason to stay. */
  readonly idle: boolean
}

/** An order as the keeper takes it: what its next calls' arguments are to be. */
export function encodeOrder({ to, close, idle }: KeeperOrder): Buffer {
  // A range that begins after its end is refused by close_range(2), and nothing is closed.
  const [first, last] = close ?? [1, 0]
  return Buffer.from(BigUint64Array.from([...keptNames.map((_, index) => BigInt(to[index] ?? 0)), BigInt(first), BigInt(last), idle ? 1n : 0n]).buffer)
}

/**
 * Forks the keeper: a process of no memory but its table of calls, which takes descriptors out of a socket and keeps them. When nobody
 * has the other end any more it keeps what it has until it is killed, or ends if that is nothing.
 * @param socket its end, of messages; the caller closes its own afterwards
 * @returns pid and pidfd of a child
 */
export function forkKeeper(socket: number): { readonly pid: number; readonly pidfd: number } {
  const program = new Program()
  try {
    return layOut(program, socket).fork({ flags: 0 })
  } catch (error) {
    program.free()
    throw error
  }
}

function layOut(program: Program, socket: number): Program {
  const plumbing = { args: {}, quiet: true } as const
  detach(program, [socket], 'engine-keeper')
  program.call('setsid', [], plumbing)
  program.call('dup3', [socket, SOCKET, O_CLOEXEC], plumbing)
  closeAllBut(program, [SOCKET])

  // The first time round there is nothing to move and nothing to close.
  const again = new Label()
  program.place(again)
  const moves = keptNames.map((_, index) => program.call('dup3', [RECEIVED + index, 0, O_CLOEXEC], { ...plumbing, allow: [Errno.EBADF] }))
  program.call('close_range', [RECEIVED, RECEIVED + keptNames.length - 1, 0], plumbing)
  const closing = program.call('close_range', [1, 0, 0], { ...plumbing, allow: [Errno.EINVAL] })

  const idle = program.words(1)
  // As encodeOrder has them: a message's eight bytes each go where a call has its argument.
  const fields = [...moves.map((call) => program.argumentAddress(call, 1)), program.argumentAddress(closing, 0), program.argumentAddress(closing, 1), idle]
  const vector = program.words(...fields.flatMap((address) => [address, 8]))
  // struct msghdr: name, its length, iov, how many, control, its length, flags.
  const header = program.words(0, 0, vector, fields.length, program.bytes(Buffer.alloc(CONTROL_BYTES)), CONTROL_BYTES, 0)
  // recvmsg(2) leaves there how much control data came; FUTEX_WAKE_OP stores a number and needs neither descriptor nor stack.
  program.call('futex', [idle, FUTEX_WAKE_OP, 0, 0, header + 40, CONTROL_BYTES << 12], plumbing)
  program.call('recvmsg', [SOCKET, header, MSG_CMSG_CLOEXEC], { ...plumbing, again: Errno.EINTR, onPositive: again })
  // The shim has gone. Waits while the word is 0: for ever.
  program.call('futex', [idle, FUTEX_WAIT, 0, 0], { ...plumbing, again: Errno.EINTR, allow: [Errno.EAGAIN] })
  program.call('exit_group', [0], plumbing)
  return program
}
