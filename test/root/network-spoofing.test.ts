import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parseIpAddress } from '@engine/linux/netlink'
import { linkLocalAddress } from '@engine/network'
import { openTestEngine, removal, type TestEngine } from '../harness/engine.ts'
import { enterPrivateHost, inSandbox, onHost, until } from '../harness/network-host.ts'
import { datagram, sendFrame, type Frame } from '../harness/raw-frame.ts'

let test: TestEngine
const ended: (() => Promise<void>)[] = []

before(async () => {
  await enterPrivateHost()
  test = await openTestEngine({ after: (work) => void ended.push(work) })
})

after(async () => {
  for (const work of ended) await work()
})

interface Member {
  readonly id: string
  readonly sandbox: string
  readonly mac: string
  readonly ipv4: string
  readonly ipv6: string
  readonly gateway: string
  readonly gateway6: string
}

async function member(): Promise<Member> {
  const id = await test.start(['sleep', '1000'], { NetworkMode: 'spoofed' })
  const { NetworkSettings: { SandboxKey, Networks } } = await test.engine.containers.inspect(id, { size: false })
  const own = Networks['spoofed']
  assert.ok(own !== undefined)
  return { id, sandbox: SandboxKey, mac: own.MacAddress, ipv4: own.IPAddress, ipv6: own.GlobalIPv6Address, gateway: own.Gateway, gateway6: own.IPv6Gateway }
}

/** Type, code, checksum (filled in later), and four bytes of a message. */
function message(type: number, word: number, ...rest: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt8(type, 0)
  head.writeUInt32BE(word, 4)
  return Buffer.concat([head, ...rest])
}

const overriding = 0x2000_0000
const option = (type: number, mac: string): Buffer => Buffer.from(`0${type}01${mac.replaceAll(':', '')}`, 'hex')

/** What a container with CAP_NET_RAW may try on its neighbour; and, last, what it may do. */
function attempts(attacker: Member, victim: Member): readonly { readonly what: string; readonly allowed: boolean; readonly frame: Frame }[] {
  const own = { from: attacker.mac, to: victim.mac }
  const local = linkLocalAddress(attacker.mac)
  const six = (what: string, payload: Buffer, source = local, allowed = false) => ({ what, allowed, frame: { ...own, source, destination: linkLocalAddress(victim.mac), protocol: 'icmpv6' as const, payload } })
  const udp = (what: string, source: string, destination: string, more: Partial<Frame> = {}, allowed = false) => ({ what, allowed, frame: { ...own, source, destination, protocol: 'udp' as const, payload: datagram(68, 67, 'x'), ...more } })
  const advertised = (address: string, as = attacker.mac): Buffer => message(136, overriding, parseIpAddress(address), option(2, as))
  return [
    six('a router advertisement', message(134, 0x4000_0708, Buffer.alloc(8), option(1, attacker.mac))),
    six('a redirect', message(137, 0, parseIpAddress(local), parseIpAddress(victim.gateway6))),
    six('an advertisement of the gateway\'s address', advertised(victim.gateway6)),
    six('an advertisement of the victim\'s own address', advertised(victim.ipv6)),
    six('an echo from another address of the network', message(128, 1), 'fd00:77::77'),
    six('an echo from another link-local address', message(128, 1), 'fe80::77'),
    udp('a datagram from another address', '10.77.0.77', victim.ipv4),
    udp('a datagram from the gateway\'s address', victim.gateway, victim.ipv4),
    udp('a question for an address by DHCP', '0.0.0.0', '255.255.255.255', { to: 'ff:ff:ff:ff:ff:ff' }),
    udp('a datagram from another MAC', attacker.ipv4, victim.ipv4, { from: '02:42:0a:4d:00:77' }),
    six('an advertisement of its own address', advertised(attacker.ipv6), local, true),
    six('an echo from its own address', message(128, 1), attacker.ipv6, true),
    udp('a datagram from its own address', attacker.ipv4, victim.ipv4, {}, true),
  ]
}

describe('frames that a container makes up', () => {
  it('do not come to its neighbours, unless they are its own', async () => {
    const { Id } = await test.engine.networks.create({ Name: 'spoofed', EnableIPv6: true, IPAM: { Config: [{ Subnet: '10.77.0.0/24' }, { Subnet: 'fd00:77::/64' }] } })
    const [attacker, victim] = [await member(), await member()]
    // What comes in at the victim's link, before anything else looks at it.
    inSandbox(victim.sandbox, "nft 'add table netdev seen; add chain netdev seen in { type filter hook ingress device eth0 priority 0; policy accept; }; add rule netdev seen in ether type { ip, ip6 } counter'")
    const seen = (): number => Number(/counter packets (\d+)/.exec(inSandbox(victim.sandbox, 'nft list chain netdev seen in'))?.[1])
    const arrives = async (frame: Frame): Promise<boolean> => {
      const before = seen()
      sendFrame(attacker.sandbox, 'eth0', frame)
      // One that is allowed comes after it, on the same way: when that is there, the other one would be.
      sendFrame(attacker.sandbox, 'eth0', marker)
      await until(() => seen() > before)
      const count = seen() - before
      return count > 1
    }
    const marker: Frame = { from: attacker.mac, to: victim.mac, source: attacker.ipv4, destination: victim.ipv4, protocol: 'udp', payload: datagram(9, 9, 'marker') }
    // Neighbours are found first: what the two say of their own accord is over.
    inSandbox(attacker.sandbox, `busybox ping -c 1 -W 2 ${victim.ipv4} && busybox ping -6 -c 1 -W 2 ${victim.ipv6}`)
    await quiet(seen)
    for (const { what, allowed, frame } of attempts(attacker, victim)) assert.equal(await arrives(frame), allowed, what)
    onHost(`nft flush chain bridge ${test.options.nftablesTable} endpoint`)
    for (const { what, frame } of attempts(attacker, victim)) assert.equal(await arrives(frame), true, `${what}, without the rules`)
    for (const { id } of [attacker, victim]) await test.engine.containers.remove(id, removal)
    await test.engine.networks.remove(Id)
  })
})

/** Waits until a count has not changed for a second. */
async function quiet(count: () => number): Promise<void> {
  for (let before = -1, now = count(); before !== now; before = now, now = count()) await new Promise((resolve) => setTimeout(resolve, 1000))
}
