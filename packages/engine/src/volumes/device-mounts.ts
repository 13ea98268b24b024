import { mountDevice, unmountDevice } from './mount-device.ts'
import { NameLocks } from './name-locks.ts'

/** The mounts of volumes that have options: there as long as somebody uses the volume. */
export class DeviceMounts {
  readonly #users = new Map<string, Set<string>>()
  readonly #locks = new NameLocks()

  /** Mounts a volume, unless somebody has it mounted. @param user a container's id, or something else that is unique */
  async use(name: string, directory: string, options: Readonly<Record<string, string>>, user: string): Promise<void> {
    await this.#locks.run([name], async () => {
      const users = this.#users.get(name) ?? new Set()
      if (users.size === 0) await mountDevice(directory, options)
      users.add(user)
      this.#users.set(name, users)
    })
  }

  /** Notes who used it when the daemon ended. */
  adopt(name: string, user: string): void {
    this.#users.set(name, (this.#users.get(name) ?? new Set()).add(user))
  }

  /** Lets go of a volume; after the last it is unmounted. */
  async release(name: string, directory: string, user: string): Promise<void> {
    await this.#locks.run([name], async () => {
      const users = this.#users.get(name)
      if (users?.delete(user) !== true || users.size > 0) return
      this.#users.delete(name)
      await unmountDevice(directory)
    })
  }

  isUsed(name: string): boolean {
    return (this.#users.get(name)?.size ?? 0) > 0
  }
}
