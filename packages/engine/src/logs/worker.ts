import { parentPort } from 'node:worker_threads'
import { LogWorker } from './log-worker.ts'
import type { ToWorker } from './worker-messages.ts'

/** The log worker's program: engined starts it as a thread of its own. */
const port = parentPort
if (port === null) throw new Error('the log worker is not a program to be run by itself')
const worker = new LogWorker((message, transfer) => port.postMessage(message, transfer))
port.on('message', (message: ToWorker) => worker.receive(message))
