// The thread that carries what the kernel does not translate. It waits for descriptors only: messages come with a signal on one of them.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Errno, failedWith } from '@engine/linux'
import { Datagrams } from '@engine/linux/datagram'
import { observeDescriptors } from '@engine/linux/descriptor'
import { Epoll } from '@engine/linux/epoll'
import { eventfdClear } from '@engine/linux/eventfd'
import { acceptInet, originalDestination } from '@engine/linux/inet-socket'
import { HeldDescriptors } from './held-descriptors.ts'
import type { RelayData, RelayedPort, ToRelay } from './messages.ts'
import { Poller } from './poller.ts'
import { relayTarget } from './relay-target.ts'
import { TcpConnection } from './tcp-connection.ts'
import { UdpFlows } from './udp-flows.ts'

/** Milliseconds between looks for silent clients of UDP, while there are any. */
const sweepTime = 10_000
/** Connections that are taken in before others have their turn. */
const burst = 32
/** Milliseconds without a look at who waits, when there are no descriptors: a listener that cannot be emptied is ready all the time. */
const respite = 100

/** accept(2): what leaves the connection waiting; a process has no more descriptors, or the system no more files or memory. */
const exhausted = [Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM]

const { listener, wake, done, held } = workerData as RelayData
observeDescriptors(new HeldDescriptors(held))
const port = parentPort
if (port === null) throw new Error('this is the program of a worker thread')

const poller = new Poller()
const datagrams = new Datagrams()
const acknowledged = new Int32Array(done)
const ports = new Map<string, readonly RelayedPort[]>()
const flows = new Map<string, UdpFlows[]>()
const connections = new Set<TcpConnection>()
const life = { ended: false }
/** When the listener is looked at again (performance.now()); undefined while it is watched. */
let resume: number | undefined

poller.watch(wake, Epoll.IN, () => readMessages())
listen()
readMessages()
while (!life.ended) {
  const busy = [...flows.values()].flatMap((ones) => ones.filter(({ empty }) => !empty))
  const timeout = busy.length === 0 ? -1 : sweepTime
  poller.turn(resume === undefined ? timeout : Math.max(0, Math.ceil(resume - performance.now())))
  if (resume !== undefined && performance.now() >= resume) listen()
  for (const one of busy) one.sweep()
}
for (const connection of connections) connection.close()

function readMessages(): void {
  eventfdClear(wake)
  for (;;) {
    const received = port === null ? undefined : receiveMessageOnPort(port)
    if (received === undefined) return
    obey(received.message as ToRelay)
    Atomics.add(acknowledged, 0, 1)
    Atomics.notify(acknowledged, 0)
  }
}

function obey(message: ToRelay): void {
  if (message.type === 'end') {
    life.ended = true
    return
  }
  for (const one of flows.get(message.owner) ?? []) one.close()
  flows.delete(message.owner)
  ports.delete(message.owner)
  if (message.ports.length === 0) return
  ports.set(message.owner, message.ports.filter(({ protocol }) => protocol === 'tcp'))
  flows.set(message.owner, message.ports.flatMap((one) => (one.socket === undefined ? [] : [new UdpFlows(poller, datagrams, one, one.socket)])))
}

function listen(): void {
  resume = undefined
  poller.watch(listener, Epoll.IN, () => acceptAll())
}

/** Who comes meanwhile waits with the kernel (listen(2)), until descriptors are given back. */
function pause(): void {
  resume = performance.now() + respite
  poller.forget(listener)
}

function acceptAll(): void {
  for (let i = 0; i < burst; i++) {
    try {
      const client = acceptInet(listener)
      if (client === undefined) return
      const target = wanted(client.fd)
      if (target === undefined) client.close()
      else connections.add(new TcpConnection(poller, client, target, (connection) => connections.delete(connection)))
    } catch (error) {
      // Else it was gone before it was taken in, or there is no way to the container: nobody else's trouble.
      if (failedWith(error, ...exhausted)) return pause()
    }
  }
}

function wanted(fd: number): ReturnType<typeof relayTarget> {
  try {
    return relayTarget(ports.values(), originalDestination(fd))
  } catch {
    // It came to this port by itself.
    return undefined
  }
}
