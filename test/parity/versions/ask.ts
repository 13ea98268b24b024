import { request as httpRequest } from 'node:http'
import { API_VERSION, MIN_API_VERSION, minorOf } from '@engine/api'
import { busyboxTar } from '../../harness/images.ts'
import { shapeOf } from './shape.ts'

/** What a version of the API answers to a request: status, the type of the body, and of a JSON body every field with its type. */
export interface VersionedAnswer {
  readonly status: number
  readonly type: string
  /** The text of an error. */
  readonly message?: string
  readonly fields: readonly string[]
}

/** Every version that can be asked for, the newest first. */
export const versions: readonly string[] = Array.from({ length: minorOf(API_VERSION) - minorOf(MIN_API_VERSION) + 1 }, (_, index) => `1.${minorOf(API_VERSION) - index}`)

/** Requests that change nothing; `runs` runs, `gone` has ended. */
const reads: Readonly<Record<string, readonly [method: string, path: string]>> = {
  'containers list': ['GET', '/containers/json?all=1&size=1'],
  'container inspect': ['GET', '/containers/runs/json?size=1'],
  'container inspect, ended': ['GET', '/containers/gone/json'],
  'container top': ['GET', '/containers/runs/top'],
  'container stats': ['GET', '/containers/runs/stats?stream=0&one-shot=1'],
  'container changes': ['GET', '/containers/runs/changes'],
  'container logs': ['GET', '/containers/gone/logs?stdout=1'],
  'container wait': ['POST', '/containers/gone/wait'],
  'container wait, unknown condition': ['POST', '/containers/gone/wait?condition=never'],
  'container prune': ['POST', '/containers/prune?filters={"label":["none"]}'],
  'exec inspect': ['GET', '/exec/EXEC/json'],
  'images list': ['GET', '/images/json?shared-size=1&digests=1'],
  'images list, with manifests': ['GET', '/images/json?manifests=1'],
  'image inspect': ['GET', '/images/busybox/json'],
  'image inspect, of a platform': ['GET', '/images/busybox/json?platform={"os":"plan9","architecture":"mips"}'],
  'image history': ['GET', '/images/busybox/history'],
  'image prune': ['POST', '/images/prune?filters={"label":["none"]}'],
  'networks list': ['GET', '/networks'],
  'network inspect': ['GET', '/networks/net'],
  'network prune': ['POST', '/networks/prune?filters={"label":["none"]}'],
  'volumes list': ['GET', '/volumes'],
  'volume inspect': ['GET', '/volumes/vol'],
  'volume prune': ['POST', '/volumes/prune?filters={"label":["none"]}'],
  'build prune': ['POST', '/build/prune?filters={"id":["none"]}'],
  info: ['GET', '/info'],
  version: ['GET', '/version'],
  ping: ['GET', '/_ping'],
  'system df': ['GET', '/system/df'],
  'system df, of a kind': ['GET', '/system/df?type=volume'],
  events: ['GET', '/events?since=1&until=NOW'],
  'an error': ['GET', '/containers/absent/json'],
}

/** Bodies of create that some version did not know: they are answered, and what became of them is inspected with the newest version. */
const creates: Readonly<Record<string, object>> = {
  'nothing asked for': {},
  Annotations: { HostConfig: { Annotations: { a: 'b' } } },
  'a start interval': { Healthcheck: { Test: ['CMD', 'true'], StartInterval: 2_000_000_000, StartPeriod: 3_000_000_000 } },
  'two endpoints': { HostConfig: { NetworkMode: 'net' }, NetworkingConfig: { EndpointsConfig: { net: {}, other: {} } } },
  'a priority of gateways': { HostConfig: { NetworkMode: 'net' }, NetworkingConfig: { EndpointsConfig: { net: { GwPriority: 3 } } } },
  'a MAC address of the container': { MacAddress: '02:00:00:00:00:07', HostConfig: { NetworkMode: 'net' } },
  'a MAC address of the endpoint': { HostConfig: { NetworkMode: 'net' }, NetworkingConfig: { EndpointsConfig: { net: { MacAddress: '02:00:00:00:00:08' } } } },
  'a mount, read-only': { HostConfig: { Mounts: [{ Type: 'bind', Source: '/usr', Target: '/t', ReadOnly: true, BindOptions: { NonRecursive: true, ReadOnlyNonRecursive: true } }] } },
  'a mount, read-only, and no more said': { HostConfig: { Mounts: [{ Type: 'bind', Source: '/usr', Target: '/t', ReadOnly: true }] } },
  'a mount, read-only, of a propagation': { HostConfig: { Mounts: [{ Type: 'bind', Source: '/usr', Target: '/t', ReadOnly: true, BindOptions: { Propagation: 'rprivate' } }] } },
  'a mount, read-only in depth': { HostConfig: { Mounts: [{ Type: 'bind', Source: '/usr', Target: '/t', ReadOnly: true, BindOptions: { ReadOnlyForceRecursive: true, Propagation: 'rprivate' } }] } },
  'two MAC addresses': { MacAddress: '02:00:00:00:00:07', HostConfig: { NetworkMode: 'net' }, NetworkingConfig: { EndpointsConfig: { net: { MacAddress: '02:00:00:00:00:08' } } } },
  'a MAC address without a network': { MacAddress: '02:00:00:00:00:07', HostConfig: { NetworkMode: 'none' } },
  'a sysctl of another interface': { HostConfig: { NetworkMode: 'net', Sysctls: { 'net.ipv4.conf.eth1.log_martians': '1' } } },
  'a sysctl of all interfaces': { HostConfig: { NetworkMode: 'net', Sysctls: { 'net.ipv4.conf.all.log_martians': '1' } } },
  'a mount, made where it is not': { HostConfig: { Mounts: [{ Type: 'bind', Source: '/tmp/absent-of-versions', Target: '/t', BindOptions: { CreateMountpoint: true } }] } },
  'a mount with options of another': { HostConfig: { Mounts: [{ Type: 'volume', Source: 'vol', Target: '/t', BindOptions: { Propagation: 'rprivate' } }] } },
  'a part of a volume': { HostConfig: { Mounts: [{ Type: 'volume', Source: 'vol', Target: '/t', VolumeOptions: { Subpath: 'a' } }] } },
  'options of a tmpfs': { HostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { Options: [['noexec']] } }] } },
  'an image mount': { HostConfig: { Mounts: [{ Type: 'image', Source: 'busybox', Target: '/t' }] } },
  'a console size': { HostConfig: { ConsoleSize: [10, 20] } },
  'memory of the kernel': { HostConfig: { KernelMemory: 16777216, KernelMemoryTCP: 16777216 } },
  'no limit of processes': { HostConfig: { PidsLimit: -1 } },
  'removal at the end': { HostConfig: { AutoRemove: true } },
  'a sysctl of an interface': { HostConfig: { NetworkMode: 'net', Sysctls: { 'net.ipv4.conf.eth0.log_martians': '1' } } },
}

/** What is looked at of a container that was made. */
const looked = ['AutoRemove', 'IpcMode', 'CgroupnsMode', 'ConsoleSize', 'Annotations', 'PidsLimit', 'Mounts', 'KernelMemory', 'KernelMemoryTCP', 'Sysctls'] as const

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** One daemon, asked with every version. It must have nothing of its own. */
export class VersionedDaemon {
  readonly #socket: string

  constructor(socket: string) {
    this.#socket = socket
  }

  /** Asks every request with every version. @returns for each request the answers by versions */
  async ask(): Promise<Record<string, Record<string, VersionedAnswer>>> {
    const found: Record<string, Record<string, VersionedAnswer>> = {}
    try {
      const exec = await this.#prepare()
      const now = String(Math.floor(Date.now() / 1000) + 1)
      for (const version of versions) {
        for (const [name, [method, path]] of Object.entries(reads)) {
          (found[name] ??= {})[version] = versioned(await this.#send(version, method, path.replace('EXEC', exec).replace('NOW', now)))
        }
      }
      // After the others: what is made and removed pushes older events out of Docker's memory.
      for (const version of versions) {
        for (const [name, body] of Object.entries(creates)) (found[`create: ${name}`] ??= {})[version] = await this.#create(version, body)
      }
    } finally {
      await this.#clear()
    }
    return found
  }

  async #create(version: string, body: object): Promise<VersionedAnswer> {
    const answer = await this.#send(version, 'POST', '/containers/create?name=made', { Image: 'busybox', ...body })
    if (answer.status !== 201) return versioned(answer)
    const { Warnings } = JSON.parse(answer.text) as { Warnings: readonly string[] }
    const made = JSON.parse((await this.#send(API_VERSION, 'GET', '/containers/made/json')).text) as { HostConfig: Readonly<Record<string, unknown>>; Config: { readonly Healthcheck?: object; readonly MacAddress?: string }; NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly GwPriority: number; readonly MacAddress: string }>> } }
    await this.#send(API_VERSION, 'DELETE', '/containers/made?force=1&v=1')
    const seen = [
      ...looked.map((name) => [`HostConfig.${name}`, made.HostConfig[name]] as const),
      ['Config.Healthcheck', made.Config.Healthcheck] as const,
      ['Config.MacAddress', made.Config.MacAddress] as const,
      ...Object.entries(made.NetworkSettings.Networks).map(([name, { GwPriority, MacAddress }]) => [`Networks.${name}`, { GwPriority, MacAddress }] as const),
    ]
    return { status: answer.status, type: answer.type, fields: [...Warnings.map((warning) => `warning: ${warning}`), ...seen.filter(([, value]) => value !== undefined).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)] }
  }

  /** @returns an exec's id */
  async #prepare(): Promise<string> {
    await this.#must('POST', '/images/create?fromSrc=-&repo=busybox&changes=CMD+sh', busyboxTar())
    await this.#must('POST', '/networks/create', { Name: 'net', Labels: { a: 'b' }, IPAM: { Config: [{ Subnet: '198.18.40.0/24' }] } })
    await this.#must('POST', '/networks/create', { Name: 'other', IPAM: { Config: [{ Subnet: '198.18.41.0/24' }] } })
    await this.#must('POST', '/volumes/create', { Name: 'vol', Labels: { a: 'b' } })
    const make = async (name: string, body: object): Promise<void> => {
      await this.#must('POST', `/containers/create?name=${name}`, { Image: 'busybox', StopTimeout: 0, ...body })
      await this.#must('POST', `/containers/${name}/start`)
    }
    await make('runs', { Cmd: ['sh', '-c', 'touch /new; sleep 1000'], ExposedPorts: { '80/tcp': {} }, Labels: { a: 'b' }, Healthcheck: { Test: ['CMD', 'true'], Interval: 3_600_000_000_000 }, HostConfig: { NetworkMode: 'net', Annotations: { a: 'b' }, Mounts: [{ Type: 'volume', Source: 'vol', Target: '/v' }] } })
    await make('gone', { Cmd: ['true'] })
    await this.#must('POST', '/containers/gone/wait')
    const { Id } = JSON.parse((await this.#must('POST', '/containers/runs/exec', { Cmd: ['true'] })).text) as { Id: string }
    await this.#must('POST', `/exec/${Id}/start`, { Detach: true })
    return Id
  }

  async #clear(): Promise<void> {
    for (const name of ['runs', 'gone', 'made']) await this.#send(API_VERSION, 'DELETE', `/containers/${name}?force=1&v=1`)
    for (const path of ['/volumes/vol', '/networks/net', '/networks/other', '/images/busybox?force=1']) await this.#send(API_VERSION, 'DELETE', path)
  }

  async #must(method: string, path: string, body?: object): Promise<Answer> {
    const answer = await this.#send(API_VERSION, method, path, body)
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.text}`)
    return answer
  }

  #send(version: string, method: string, path: string, body?: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const content = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
      const headers = content === undefined ? {} : { 'content-type': content === body ? 'application/x-tar' : 'application/json', 'content-length': content.length }
      const sent = httpRequest({ socketPath: this.#socket, method, path: encodeURI(`/v${version}${path}`), agent: false, headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text: Buffer.concat(chunks).toString() }))
      })
      sent.on('error', reject)
      sent.end(content)
    })
  }
}

function versioned({ status, type, text }: Answer): VersionedAnswer {
  if (!type.startsWith('application/json')) return { status, type, fields: [] }
  // Events are lines, all of whose fields are put together.
  const values = text.split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as unknown)
  if (status >= 400) return { status, type, message: inOrder((values[0] as { message: string }).message), fields: [] }
  return { status, type, fields: [...new Set(values.flatMap((value) => shapeOf(value)))].sort() }
}

/** Docker lists names as its maps have them: in any order. */
function inOrder(message: string): string {
  const [, text = '', names = ''] = /^(.*endpoints: )(.*)$/.exec(message) ?? []
  return names === '' ? message : `${text}${names.split(', ').sort().join(', ')}`
}
