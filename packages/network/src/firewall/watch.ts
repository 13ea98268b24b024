import { NftablesGeneration } from '@engine/linux/netlink'
import type { Firewall } from './nftables.ts'

/** Milliseconds between two looks. */
const interval = 250

/**
 * Brings a daemon's rules back when somebody has flushed them, as `nft flush ruleset` and a reload of the host's firewall do. The
 * kernel counts changes of rules; looking at that number costs two system calls, and only when another has made a change are the
 * tables looked for.
 */
export class FirewallWatch implements Disposable {
  readonly #firewall: Firewall
  readonly #generation = new NftablesGeneration()
  readonly #timer: NodeJS.Timeout
  #seen = 0

  /** @param restored is told when rules were missing and are there again, or could not be laid */
  constructor(firewall: Firewall, restored: (error?: unknown) => void) {
    this.#firewall = firewall
    this.#timer = setInterval(() => {
      try {
        if (this.#check()) restored()
      } catch (error) {
        restored(error)
      }
    }, interval)
    this.#timer.unref()
  }

  #check(): boolean {
    const generation = this.#generation.read()
    if (generation === this.#seen) return false
    this.#seen = generation
    if (this.#firewall.isLaid()) return false
    this.#firewall.restore()
    this.#seen = this.#generation.read()
    return true
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#generation[Symbol.dispose]()
  }
}
