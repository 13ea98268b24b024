import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageSocketPair, receiveDescriptors, sendDescriptors } from '@engine/linux/pass-descriptors'
import { pidfdSendSignal } from '@engine/linux/pidfd'
import { keyText } from './key.ts'
import type { ProcessKey } from './messages.ts'

/** Descriptors of one process, in the order in which they are passed. */
export const descriptorNames = ['pidfd', 'stdout', 'stderr', 'stdin', 'master'] as const

export type DescriptorName = (typeof descriptorNames)[number]

/** What shim and engined both hold of a process, so that either may die. What has ended or been closed is absent. */
export type SharedDescriptors = { readonly [name in DescriptorName]?: number }

/** A message's first byte: whether the process is one that its start is yet to be answered of. */
const BORN = '+'
const KNOWN = '='

const FULL_MILLISECONDS = 1

/**
 * The shim's end of the socket on which it passes descriptors to engined. It passes them before it answers: whoever has the answer
 * has them as well, in the socket's queue if not in hand, even when the shim has died since.
 */
export class DescriptorOutbox {
  readonly #socket: number
  #closed = false

  /** @param socket is this object's to close */
  constructor(socket: number) {
    this.#socket = socket
  }

  /** Whether who would receive them has gone. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Passes duplicates of what is held at the moment of a process. Resolves also when engined has gone: then there is nobody to hold them.
   * @param held asked again when the queue was full meanwhile
   */
  async send(process: ProcessKey, held: () => SharedDescriptors, how: { readonly born: boolean }): Promise<void> {
    while (!this.#closed) {
      const descriptors = held()
      const passed = descriptorNames.filter((name) => descriptors[name] !== undefined)
      const letter = Buffer.from(`${how.born ? BORN : KNOWN}${keyText(process)} ${passed.join(',')}`)
      try {
        if (sendDescriptors(this.#socket, letter, passed.map((name) => descriptors[name] as number))) return
      } catch {
        return
      }
      await sleep(FULL_MILLISECONDS)
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#socket)
  }
}

/** engined's end. */
export class DescriptorInbox {
  readonly #socket: number
  readonly #theirs: number
  readonly #letters = new Map<string, { readonly born: boolean; readonly descriptors: SharedDescriptors }>()
  #theirsOpen = true
  #closed = false

  constructor() {
    ;[this.#socket, this.#theirs] = messageSocketPair()
  }

  /** Has the shim take its end, by its number in this process. It is closed here afterwards. */
  async introduce(tell: (socket: number) => Promise<unknown>): Promise<void> {
    try {
      await tell(this.#theirs)
    } finally {
      this.#closeTheirs()
    }
  }

  /** What the shim has passed of a process; the caller's to close. */
  take(process: ProcessKey): SharedDescriptors | undefined {
    if (this.#closed) return undefined
    this.#receive()
    const key = keyText(process)
    const letter = this.#letters.get(key)
    this.#letters.delete(key)
    return letter?.descriptors
  }

  /** Closes it. Processes whose start was not answered any more are ended: who asked for them is told that they did not start. */
  close(): void {
    this.#receive()
    for (const { born, descriptors } of this.#letters.values()) {
      if (born && descriptors.pidfd !== undefined) kill(descriptors.pidfd)
      closeAll(descriptors)
    }
    this.#letters.clear()
    this.#closed = true
    this.#closeTheirs()
    closeSync(this.#socket)
  }

  #receive(): void {
    for (;;) {
      const message = receiveDescriptors(this.#socket)
      if (message === undefined) return
      const [, mark, key, list = ''] = /^([+=])(\S+) (\S*)$/.exec(message.data.toString()) ?? []
      // Fewer than were passed when this process may open no more.
      const passed = list.split(',').slice(0, message.descriptors.length)
      const descriptors: SharedDescriptors = Object.fromEntries(passed.map((name, index) => [name, message.descriptors[index]]))
      if (key === undefined) {
        closeAll(descriptors)
        continue
      }
      closeAll(this.#letters.get(key)?.descriptors ?? {})
      this.#letters.set(key, { born: mark === BORN, descriptors })
    }
  }

  #closeTheirs(): void {
    if (this.#theirsOpen) closeSync(this.#theirs)
    this.#theirsOpen = false
  }
}

export function closeAll(descriptors: SharedDescriptors): void {
  for (const fd of Object.values(descriptors)) closeSync(fd)
}

function kill(pidfd: number): void {
  try {
    pidfdSendSignal(pidfd, 9)
  } catch {
    // ESRCH: it has ended by itself.
  }
}
