// The thread that answers containers' queries for names: theirs do not wait for the engine's work, nor that for theirs.
import { parentPort } from 'node:worker_threads'
import { primeThreads } from '@engine/linux/unshare'
import { SandboxResolver } from './sandbox-resolver.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'
import { Zone } from './zone.ts'

const port = parentPort
if (port === null) throw new Error('this is the program of a worker thread')

const zone = new Zone()
const resolvers = new Map<string, SandboxResolver>()

// What comes meanwhile waits for a listener.
void primeThreads().then(() => port.on('message', receive))

function receive(message: ToWorker): void {
  switch (message.type) {
    case 'network': return zone.setNetwork(message.id, message.name)
    case 'network-gone': return zone.removeNetwork(message.id)
    case 'endpoint': return zone.setEndpoint(message.networkId, message.id, message.endpoint)
    case 'endpoint-gone': return zone.removeEndpoint(message.networkId, message.id)
    case 'open': return answer(open(message))
    case 'close':
      resolvers.get(message.sandbox)?.[Symbol.dispose]()
      resolvers.delete(message.sandbox)
  }
}

function answer(message: FromWorker): void {
  port?.postMessage(message)
}

function open({ request, sandbox, settings }: Extract<ToWorker, { type: 'open' }>): FromWorker {
  try {
    const present = resolvers.get(sandbox)
    if (present === undefined) resolvers.set(sandbox, new SandboxResolver(sandbox, settings, zone))
    else present.update(settings)
    return { request }
  } catch (error) {
    return { request, error: error instanceof Error ? error.message : String(error) }
  }
}
