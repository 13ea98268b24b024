import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dockerArchive } from '../harness/archives.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { api, dist } from '../harness/daemon.ts'
import { Normaliser, type EventLine } from './normalise.ts'
import type { Scenario } from './scenario.ts'

/** What a command line did: as it is kept, and as it is compared. */
export interface Played {
  readonly line: string
  readonly status: number
  /** Lines, or the value of an output that is JSON. */
  readonly stdout: unknown
  readonly stderr: readonly string[]
  readonly events: readonly string[]
}

/** What `GET /info` says that differs from machine to machine. */
interface Info {
  readonly Containers: number
  readonly Images: number
  readonly DockerRootDir: string
  readonly ID: string
  readonly Name: string
  readonly KernelVersion: string
  readonly OperatingSystem: string
}

/** What `docker` is in the lines: the docker command itself, or engine's own. */
export type Command = 'docker' | 'engine'

/** A daemon, seen through a command. */
export class Stage implements Disposable {
  readonly socket: string
  /** Where lines run: it holds what they read. */
  readonly directory = mkdtempSync(join(tmpdir(), 'engine-parity-'))
  readonly #normaliser: Normaliser
  readonly #command: Command
  /** Where programs are found that the lines name. */
  readonly #path: string

  private constructor(socket: string, info: Info, command: Command) {
    this.socket = socket
    this.#command = command
    this.#path = command === 'docker' ? (process.env['PATH'] ?? '') : `${engineAsDocker(mkdtempSync(join(tmpdir(), 'engine-parity-bin-')), socket)}:${process.env['PATH'] ?? ''}`
    this.#normaliser = new Normaliser(info.Name, {
      [info.DockerRootDir]: '<data-root>', [this.directory]: '<here>', [socket]: '<socket>', [info.ID]: '<engine>', [info.KernelVersion]: '<kernel>', [info.OperatingSystem]: '<system>',
    })
    writeFiles(this.directory)
  }

  /** @param socket the daemon's; it must have no container and no image, for all that it has goes after each scenario */
  static async open(socket: string, command: Command = 'docker'): Promise<Stage> {
    const info = (await api(socket, 'GET', '/info')).body as Info
    const { Containers, Images } = info
    if (Containers + Images > 0) throw new Error(`the daemon at ${socket} has ${Containers} containers and ${Images} images: it must have none`)
    const stage = new Stage(socket, info, command)
    await stage.#importBusybox()
    return stage
  }

  /** Plays a scenario from its first line to its last, and takes away what it has made. */
  async play({ lines, without }: Scenario): Promise<Played[]> {
    const since = await this.#clock()
    const runs: { readonly at: bigint; readonly line: string; readonly status: number; readonly stdout: string; readonly stderr: string }[] = []
    for (const line of lines) runs.push({ at: BigInt(Date.now()) * 1_000_000n, line, ...(await this.#run(line)) })
    // Events are told a moment after what they tell of.
    await new Promise((resolve) => setTimeout(resolve, 50))
    const events = (await this.#events(since)).filter(({ action }) => !without.some((prefix) => action.startsWith(prefix)))
    await this.#clear()
    return runs.map(({ at, line, status, stdout, stderr }, index) => {
      const until = runs[index + 1]?.at
      const own = events.filter(({ time }) => time >= at && (until === undefined || time < until))
      return { line, status, stdout: this.#normaliser.output(stdout, line), stderr: this.#normaliser.lines(stderr, line), events: this.#normaliser.events(own) }
    })
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true })
    if (this.#command === 'engine') rmSync(this.#path.split(':', 1)[0] as string, { recursive: true, force: true })
  }

  async #importBusybox(): Promise<void> {
    const { status, stderr } = await this.#run(`docker import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' busybox.tar busybox`)
    if (status !== 0) throw new Error(stderr)
  }

  #run(line: string): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn('timeout', ['--signal=KILL', '45', 'sh', '-c', line], {
        cwd: this.directory,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: this.#path, HOME: this.directory, DOCKER_HOST: `unix://${this.socket}`, DOCKER_CONFIG: join(this.directory, '.docker'), DOCKER_BUILDKIT: '0', DOCKER_CLI_HINTS: 'false' },
      })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('latin1')))
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('latin1')))
      child.on('error', reject)
      const text = (bytes: string): string => (this.#command === 'docker' ? Buffer.from(bytes, 'latin1').toString() : asDocker(Buffer.from(bytes, 'latin1').toString()))
      child.on('close', (code) => resolve({ status: code ?? -1, stdout: text(stdout), stderr: text(stderr) }))
    })
  }

  /** The daemon's time, seconds with a fraction. */
  async #clock(): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 2))
    return (Date.now() / 1000).toFixed(3)
  }

  async #events(since: string): Promise<EventLine[]> {
    const { text } = await api(this.socket, 'GET', `/events?since=${since}&until=${await this.#clock()}`)
    return text.split('\n').filter((line) => line !== '').map((line) => {
      const { Type, Action, Actor } = JSON.parse(line) as { Type: string; Action: string; Actor: { ID: string; Attributes: Record<string, string> } }
      return { type: Type, action: Action, id: Actor.ID, attributes: Actor.Attributes, time: BigInt(/"timeNano":(\d+)/.exec(line)?.[1] ?? '0') }
    })
  }

  async #clear(): Promise<void> {
    const ask = async <T>(path: string): Promise<T> => (await api(this.socket, 'GET', path)).body as T
    for (const { Id } of await ask<{ Id: string }[]>('/containers/json?all=1')) await api(this.socket, 'DELETE', `/containers/${Id}?force=1&v=1`)
    for (const { Name } of (await ask<{ Volumes: { Name: string }[] | null }>('/volumes')).Volumes ?? []) await api(this.socket, 'DELETE', `/volumes/${Name}`)
    for (const { Id, Name } of await ask<{ Id: string; Name: string }[]>('/networks')) if (!['bridge', 'host', 'none'].includes(Name)) await api(this.socket, 'DELETE', `/networks/${Id}`)
    await api(this.socket, 'POST', '/build/prune?all=1')
    const images = await ask<{ Id: string; RepoTags: string[] | null }[]>('/images/json')
    for (const { Id, RepoTags } of images) {
      const tags = (RepoTags ?? []).filter((tag) => tag !== '<none>:<none>')
      if (tags.includes('busybox:latest')) for (const tag of tags.filter((one) => one !== 'busybox:latest')) await api(this.socket, 'DELETE', `/images/${tag}`)
      else await api(this.socket, 'DELETE', `/images/${Id}?force=1`)
    }
    if (!images.some(({ RepoTags }) => RepoTags?.includes('busybox:latest') === true)) await this.#importBusybox()
  }
}

/** Puts engine's command under docker's name into a directory. @returns the directory */
function engineAsDocker(directory: string, socket: string): string {
  const program = join(directory, 'docker')
  writeFileSync(program, `#!/bin/sh\nENGINE_HOST=unix://${socket} exec ${join(dist, 'bin/node')} -- ${join(dist, 'engine.cjs')} "$@"\n`)
  chmodSync(program, 0o755)
  return directory
}

/** What engine's command says, with docker's name where it names itself. */
function asDocker(text: string): string {
  return text.replaceAll(/^engine: unknown command: engine/gm, 'docker: unknown command: docker').replaceAll(/^engine:/gm, 'docker:').replaceAll("'engine ", "'docker ").replaceAll(/^Usage: {2}engine/gm, 'Usage:  docker')
}

/** What the lines read: a root file system, build contexts, files to copy. */
function writeFiles(directory: string): void {
  const file = (path: string, content: string | Buffer): void => {
    mkdirSync(join(directory, path, '..'), { recursive: true })
    writeFileSync(join(directory, path), content)
  }
  file('busybox.tar', busyboxTar())
  // Of an image whose configuration has no date.
  file('dateless.tar', dockerArchive([layerTar({ f: 'x' })], ['dateless:1']))
  file('env', 'A=1\n# a remark\nB=two words\n')
  file('labels', 'one=1\ntwo=2\n')
  file('site/index.html', '<h1>parity</h1>\n')
  file('site/Dockerfile', 'FROM busybox\nLABEL stage=one\nWORKDIR /www\nCOPY index.html .\nRUN echo built > made\nEXPOSE 80\nCMD ["cat", "made"]\n')
  file('stages/Dockerfile', 'FROM busybox AS first\nRUN echo one > /one\nFROM first AS second\nRUN echo two > /two\nFROM busybox\nCOPY --from=second /one /two /both/\n')
  file('broken/Dockerfile', 'FROM busybox\nRUN exit 3\n')
  file('unknown/Dockerfile', 'FROM busybox\nFROB x\n')
  file('arguments/Dockerfile', 'FROM busybox\nARG GIVEN=default\nENV SEEN=$GIVEN\nRUN echo $GIVEN\n')
  file('health/Dockerfile', 'FROM busybox\nHEALTHCHECK --interval=1s --retries=1 CMD test -e /tmp/well\nCMD ["sleep", "60"]\n')
  file('tree/a.txt', 'a\n')
  file('tree/sub/b.txt', 'b\n')
}
