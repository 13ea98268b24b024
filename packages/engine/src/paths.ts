import { join } from 'node:path'
import type { EngineOptions } from './interface.ts'

/** Where everything of an engine's own lies. Ids are ours: 64 hex digits, never a client's text. */
export class EnginePaths {
  readonly dataRoot: string
  readonly execRoot: string

  constructor(options: Pick<EngineOptions, 'dataRoot' | 'execRoot'>) {
    this.dataRoot = options.dataRoot
    this.execRoot = options.execRoot
  }

  get lock(): string {
    return join(this.dataRoot, 'lock')
  }

  get database(): string {
    return join(this.dataRoot, 'engine.db')
  }

  get ledger(): string {
    return join(this.dataRoot, 'ledger.db')
  }

  get events(): string {
    return join(this.dataRoot, 'events.jsonl')
  }

  get content(): string {
    return join(this.dataRoot, 'content')
  }

  get overlay(): string {
    return join(this.dataRoot, 'overlay2')
  }

  get volumes(): string {
    return join(this.dataRoot, 'volumes')
  }

  get containers(): string {
    return join(this.dataRoot, 'containers')
  }

  get shimSocket(): string {
    return join(this.execRoot, 'shim.sock')
  }

  /** Compiled seccomp programs; below the exec root, so that a newer libseccomp counts from the next boot on. */
  get seccomp(): string {
    return join(this.execRoot, 'seccomp')
  }

  get sandboxes(): string {
    return join(this.execRoot, 'netns')
  }

  get runContainers(): string {
    return join(this.execRoot, 'containers')
  }

  sandbox(id: string): string {
    return join(this.sandboxes, id.slice(0, 12))
  }

  /** What stays of a container: its files for /etc, its log, its spool. */
  container(id: string): ContainerPaths {
    return new ContainerPaths(join(this.containers, id), join(this.runContainers, id), id)
  }
}

/** The paths of one container. */
export class ContainerPaths {
  /** Below the data root. */
  readonly directory: string
  /** Below the exec root; gone at boot: FIFOs, and mounts that others may share. */
  readonly run: string
  readonly hosts: string
  readonly hostname: string
  readonly resolvConf: string
  /** SHA-256 of what was last written to it. */
  readonly resolvConfHash: string
  readonly log: string
  /** The log's file where the driver is not json-file. */
  readonly localLog: string
  /** A tmpfs for /dev/shm, when others may join the IPC namespace. */
  readonly shm: string
  /** Directories of volumes' subpaths, bound here by descriptor. */
  readonly subpaths: string

  constructor(directory: string, run: string, id: string) {
    this.directory = directory
    this.run = run
    this.hosts = join(directory, 'hosts')
    this.hostname = join(directory, 'hostname')
    this.resolvConf = join(directory, 'resolv.conf')
    this.resolvConfHash = join(directory, 'resolv.conf.hash')
    this.log = join(directory, `${id}-json.log`)
    this.localLog = join(directory, 'container.log')
    this.shm = join(run, 'shm')
    this.subpaths = join(run, 'subpaths')
  }

  exec(id: string): { readonly directory: string; readonly run: string } {
    return { directory: join(this.directory, 'exec', id), run: join(this.run, 'exec', id) }
  }
}
