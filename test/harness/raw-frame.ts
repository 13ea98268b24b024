import { closeSync, openSync } from 'node:fs'
import { Descriptor } from '@engine/linux/descriptor'
import { door } from '@engine/linux'
import { libc } from '@engine/linux/libc'
import { parseIpAddress, Routing } from '@engine/linux/netlink'
import { inNetworkNamespace } from '@engine/linux/setns'

const AF_PACKET = 17
const SOCK_RAW_CLOEXEC = 3 | 0x80000
const ethertypes = { ipv4: 0x0800, ipv6: 0x86dd } as const
const protocols = { udp: 17, icmpv6: 58 } as const
const hopLimit = 255

const socket = libc.func('int socket(int domain, int type, int protocol)') as (domain: number, type: number, protocol: number) => number
const sendto = libc.func('int64 sendto(int fd, const void *buf, size_t len, int flags, const void *addr, uint32 addrlen)') as (fd: number, data: Buffer, length: number, flags: number, address: Buffer, addressLength: number) => number

/** A frame as a program with CAP_NET_RAW can make it up. */
export interface Frame {
  readonly from: string
  readonly to: string
  readonly source: string
  readonly destination: string
  readonly protocol: keyof typeof protocols
  readonly payload: Buffer
}

/** Sends a frame out of a link of a sandbox (packet(7)). */
export function sendFrame(sandbox: string, link: string, frame: Frame): void {
  const namespace = openSync(sandbox, 'r')
  try {
    inNetworkNamespace(namespace, () => {
      using routing = new Routing()
      const index = routing.findLink({ name: link })?.index ?? 0
      using raw = new Descriptor(door('socket', () => ({ domain: 'AF_PACKET' }), () => socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0)))
      // struct sockaddr_ll: u16 family, u16 protocol, i32 index, u16 type, u8 packet type, u8 address length, u8 address[8].
      const place = Buffer.alloc(20)
      place.writeUInt16LE(AF_PACKET, 0)
      place.writeInt32LE(index, 4)
      const bytes = encode(frame)
      door('sendto', () => ({ link, length: bytes.length }), () => sendto(raw.fd, bytes, bytes.length, 0, place, place.length))
    })
  } finally {
    closeSync(namespace)
  }
}

/** A datagram of UDP, whose checksum is left out (0 is allowed over IPv4; over IPv6 a router passes it on all the same). */
export function datagram(from: number, to: number, data: string): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(from, 0)
  header.writeUInt16BE(to, 2)
  header.writeUInt16BE(8 + data.length, 4)
  return Buffer.concat([header, Buffer.from(data)])
}

function encode({ from, to, source, destination, protocol, payload }: Frame): Buffer {
  const [src, dst] = [parseIpAddress(source), parseIpAddress(destination)]
  const ethernet = Buffer.concat([mac(to), mac(from), Buffer.alloc(2)])
  ethernet.writeUInt16BE(src.length === 4 ? ethertypes.ipv4 : ethertypes.ipv6, 12)
  if (src.length === 4) {
    const header = Buffer.alloc(20)
    header.writeUInt8(0x45, 0)
    header.writeUInt16BE(20 + payload.length, 2)
    header.writeUInt8(hopLimit, 8)
    header.writeUInt8(protocols[protocol], 9)
    src.copy(header, 12)
    dst.copy(header, 16)
    header.writeUInt16BE(checksum(header), 10)
    return Buffer.concat([ethernet, header, payload])
  }
  const header = Buffer.alloc(40)
  header.writeUInt8(0x60, 0)
  header.writeUInt16BE(payload.length, 4)
  header.writeUInt8(protocols[protocol], 6)
  header.writeUInt8(hopLimit, 7)
  src.copy(header, 8)
  dst.copy(header, 24)
  const body = Buffer.from(payload)
  if (protocol === 'icmpv6') {
    const pseudo = Buffer.alloc(8)
    pseudo.writeUInt32BE(payload.length, 0)
    pseudo.writeUInt8(protocols.icmpv6, 7)
    body.writeUInt16BE(checksum(Buffer.concat([src, dst, pseudo, body])), 2)
  }
  return Buffer.concat([ethernet, header, body])
}

function mac(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += i + 1 < bytes.length ? bytes.readUInt16BE(i) : (bytes[i] ?? 0) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
