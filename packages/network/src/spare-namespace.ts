import { tracer, traced, type SyscallRecord } from '@engine/linux'
import type { Descriptor } from '@engine/linux/descriptor'
import { Routing } from '@engine/linux/netlink'
import { openNamespace } from '@engine/linux/setns'
import { inNewNetworkNamespace, primeThreads } from '@engine/linux/unshare'

/**
 * How long a spare is kept, in milliseconds. A network namespace gets some of the host's settings as they are when it is made
 * (`net.ipv4.conf.*`, socket buffers: ip-sysctl.rst), and who changes those means the next container.
 */
const goodFor = 1000

const loopbackIndex = 1

interface Spare {
  readonly namespace: Descriptor
  readonly records: readonly SyscallRecord[]
}

/**
 * One network namespace that is made before somebody asks for it, while the engine waits for a client or for the kernel: the
 * making is the longest part of a sandbox. Only a descriptor holds it, so that nothing of it outlives the process.
 */
export class SpareNamespace implements Disposable {
  #spare: Spare | undefined
  #planned: NodeJS.Immediate | undefined
  #end: NodeJS.Timeout | undefined
  #closed = false

  /** Has one made as soon as what is being done now is done; a container is about to want it. */
  prepare(): void {
    if (this.#closed || this.#spare !== undefined || this.#planned !== undefined) return
    this.#planned = setImmediate(() => void primeThreads().then(() => this.#make(), () => undefined))
  }

  /** The spare, which is the caller's now, and stands in the ledger of whom it is for; undefined when there is none. */
  take(): Descriptor | undefined {
    const spare = this.#spare
    this.#spare = undefined
    clearTimeout(this.#end)
    const report = spare === undefined ? undefined : tracer()
    if (report !== undefined) for (const record of spare?.records ?? []) report({ ...record, args: { ...record.args, beforehand: true } })
    return spare?.namespace
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearImmediate(this.#planned)
    this.take()?.close()
  }

  #make(): void {
    this.#planned = undefined
    if (this.#closed || this.#spare !== undefined) return
    const records: SyscallRecord[] = []
    try {
      this.#spare = { namespace: traced((record) => records.push(record), () => inNewNetworkNamespace(withLoopback)), records }
    } catch {
      // Who needs one meets the same, and says so.
      return
    }
    this.#end = setTimeout(() => this.take()?.close(), goodFor).unref()
  }
}

/** Turns the loopback on in this thread's namespace. */
export function turnLoopbackOn(): void {
  using routing = new Routing()
  routing.setLink({ index: loopbackIndex, up: true })
}

function withLoopback(): Descriptor {
  turnLoopbackOn()
  return openNamespace('net')
}
