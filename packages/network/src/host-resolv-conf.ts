import { readFileSync, statSync } from 'node:fs'
import { parseResolvConf, type ResolvConfSource } from './resolv-conf.ts'

const usualPath = '/etc/resolv.conf'
/** The upstream servers of systemd-resolved, whose stub at 127.0.0.53 a container cannot reach. */
const resolvedPath = '/run/systemd/resolve/resolv.conf'
const resolvedStub = '127.0.0.53'

/** Milliseconds between two looks. */
const interval = 1000

/**
 * The host's file that a container's is made from. With systemd-resolved it is not /etc/resolv.conf, which names only its stub on
 * the host's loopback; a container in the host's network reaches that stub.
 * @param asItIs the container is in the host's network and the user changes nothing
 * @param given the file that the configuration names; it is taken as it is
 */
export function readHostResolvConf(asItIs: boolean, given?: string): ResolvConfSource | undefined {
  const host = readIfThere(given ?? usualPath)
  if (asItIs || given !== undefined || host === undefined) return host
  const { nameservers } = parseResolvConf(host.content)
  return nameservers.length === 1 && nameservers[0] === resolvedStub ? readIfThere(resolvedPath) : host
}

/**
 * Tells of changes of the host's resolv.conf: it is written in place, replaced, or a link that leads elsewhere (a laptop comes into
 * another network, DHCP or a VPN brings other nameservers). Two looks must find the same: a file that is just being written is not
 * taken for one that names nobody.
 */
export class ResolvConfWatch implements Disposable {
  readonly #paths: readonly string[]
  readonly #timer: NodeJS.Timeout
  #told: string
  #last: string

  /** @param given as for {@link readHostResolvConf} */
  constructor(given: string | undefined, changed: () => void) {
    this.#paths = given === undefined ? [usualPath, resolvedPath] : [given]
    this.#told = this.#last = this.#look()
    this.#timer = setInterval(() => {
      const now = this.#look()
      const settled = now === this.#last
      this.#last = now
      if (!settled || now === this.#told) return
      this.#told = now
      // A host that has none for a while (its network goes down) leaves containers those that they have.
      if (stampOf(this.#paths[0] ?? usualPath) !== '') changed()
    }, interval)
    this.#timer.unref()
  }

  #look(): string {
    return this.#paths.map(stampOf).join(' ')
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

/** What changes whenever a file does; empty when there is none. */
function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(':')
  } catch {
    return ''
  }
}

function readIfThere(path: string): ResolvConfSource | undefined {
  try {
    return { path, content: readFileSync(path, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
