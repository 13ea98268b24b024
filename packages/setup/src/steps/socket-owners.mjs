import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** A process that listens on a unix socket. @typedef {{ pid: number, name: string }} Owner */

/** Who listens on a unix socket: proc_net(5) has the sockets with their inodes, each process its descriptors. As root.
 * @param {string} path @returns {Owner[]} none when nobody does, whether the file is there or not */
export function socketOwners(path) {
  // Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 is a socket that accepts connections.
  const rows = readFileSync('/proc/net/unix', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
  const inodes = new Set(rows.filter((row) => row[7] === path && row[3] === '00010000').map((row) => `socket:[${row[6]}]`))
  if (inodes.size === 0) return []
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => descriptors(pid).some((target) => inodes.has(target))).map((pid) => ({ pid: Number(pid), name: comm(pid) }))
}

/** @param {string} pid @returns {string[]} */
function descriptors(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
  } catch {
    // It, or a descriptor of it, is gone meanwhile.
    return []
  }
}

/** A process's name; proc_pid_stat(5). @param {string | number} pid
 * @returns {string} empty when it is gone, or dead and only waiting for its parent to notice */
export function comm(pid) {
  try {
    const [, name = '', state = 'X'] = /^\d+ \((.*)\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return state === 'Z' || state === 'X' ? '' : name
  } catch {
    return ''
  }
}
