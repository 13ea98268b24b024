import { constants } from 'node:fs'
import { libc } from './libc.ts'
import { door } from './door.ts'

const F_GETFD = 1
const F_SETFD = 2
const F_GETFL = 3
const F_SETFL = 4
const FD_CLOEXEC = 1
const { O_NONBLOCK } = constants
const CLOSE_RANGE_CLOEXEC = 4

/** fcntl(2) with a number, or none, as its argument. Called through the door. */
export const fcntl = libc.func('int fcntl(int, int, int)') as (fd: number, command: number, value: number) => number
const range = libc.func('int close_range(uint, uint, int)') as (first: number, last: number, flags: number) => number

/** Whether execve closes `fd`. */
export function setCloseOnExec(fd: number, close: boolean): void {
  const flags = door('fcntl', () => ({ fd, command: 'F_GETFD' }), () => fcntl(fd, F_GETFD, 0))
  const wanted = close ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC
  door('fcntl', () => ({ fd, command: 'F_SETFD', flags: wanted }), () => fcntl(fd, F_SETFD, wanted))
}

/** O_NONBLOCK of the open file behind `fd`: seen by everybody who shares it. */
export function setNonblocking(fd: number, nonblocking: boolean): void {
  const flags = door('fcntl', () => ({ fd, command: 'F_GETFL' }), () => fcntl(fd, F_GETFL, 0))
  const wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
  door('fcntl', () => ({ fd, command: 'F_SETFL', flags: wanted }), () => fcntl(fd, F_SETFL, wanted))
}

/** close_range(2): marks every descriptor from `first` on to be closed by execve. */
export function closeOnExecFrom(first: number): void {
  door('close_range', () => ({ first, flags: 'CLOSE_RANGE_CLOEXEC' }), () => range(first, 0xffffffff, CLOSE_RANGE_CLOEXEC))
}
