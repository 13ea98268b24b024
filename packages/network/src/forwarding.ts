import { readSysctl, writeSysctl } from '@engine/linux/sysctl'

const name = 'net/ipv4/ip_forward'

/** Whether the host forwards IPv4 packets between its links, without which no container reaches anything. */
export function isForwarding(): boolean {
  return readSysctl(name) !== '0'
}

/** Turns forwarding on or off. */
export function setForwarding(on: boolean): void {
  writeSysctl(name, on ? '1' : '0')
}
