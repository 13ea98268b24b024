import { addressNumber, allocateAddress, claimAddress, type AddressPool } from '@engine/network'

/** The addresses of one pool that have a lease. However many they are, the next one is found at once. */
export class TakenAddresses {
  readonly #taken = new Set<string>()
  /** All of the pool's below are taken. */
  #from = 0n

  /**
   * Takes the lowest free address, or the one that is wanted.
   * @throws EngineError unavailable, invalid-argument, forbidden as allocateAddress and claimAddress
   */
  take(pool: AddressPool, wanted?: string | null): string {
    if (wanted) {
      const address = claimAddress(pool, this.#taken, wanted)
      this.#taken.add(address)
      return address
    }
    const address = allocateAddress(pool, this.#taken, this.#from)
    this.#taken.add(address)
    this.#from = addressNumber(address) + 1n
    return address
  }

  /** Takes one up that has a lease from before. */
  adopt(address: string): void {
    this.#taken.add(address)
  }

  /** Gives one back; nothing happens when nobody has it. */
  give(address: string): void {
    if (!this.#taken.delete(address)) return
    const value = addressNumber(address)
    if (value < this.#from) this.#from = value
  }
}
