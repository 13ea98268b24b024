import type { Command } from './command.ts'

/** How a command is found, without loading it. */
export interface Entry {
  readonly summary: string
  /** Among the most used: listed first. */
  readonly common?: true
  /** Other names for it. */
  readonly aliases?: readonly string[]
  load(): Promise<{ readonly command: Command }>
}

/** A word that gathers commands about one kind of object. */
export interface Group {
  readonly summary: string
  readonly commands: Readonly<Record<string, Entry>>
}

const run: Entry = { summary: 'Create and run a new container from an image', common: true, load: () => import('./run.ts') }
const exec: Entry = { summary: 'Execute a command in a running container', common: true, load: () => import('./exec.ts') }
const ps: Entry = { summary: 'List containers', common: true, load: () => import('./ps.ts') }
const build: Entry = { summary: 'Build an image from a Dockerfile', common: true, load: () => import('./build.ts') }
const images: Entry = { summary: 'List images', common: true, load: () => import('./images.ts') }
const logs: Entry = { summary: 'Fetch the logs of a container', common: true, load: () => import('./logs.ts') }
const explain: Entry = { summary: 'Show every kernel action that made a container, and its cause', common: true, load: () => import('./explain.ts') }
const version: Entry = { summary: 'Show the engine version information', common: true, load: () => import('./version.ts') }
const info: Entry = { summary: 'Display system-wide information', common: true, load: () => import('./info.ts') }
const attach: Entry = { summary: 'Attach local standard input, output, and error streams to a running container', load: () => import('./attach.ts') }
const commit: Entry = { summary: "Create a new image from a container's changes", load: () => import('./commit.ts') }
const cp: Entry = { summary: 'Copy files/folders between a container and the local filesystem', load: () => import('./cp.ts') }
const create: Entry = { summary: 'Create a new container', load: () => import('./create.ts') }
const diff: Entry = { summary: "Inspect changes to files or directories on a container's filesystem", load: () => import('./diff.ts') }
const events: Entry = { summary: 'Get real time events from the server', load: () => import('./events.ts') }
const export_: Entry = { summary: "Export a container's filesystem as a tar archive", load: () => import('./export.ts') }
const history: Entry = { summary: 'Show the history of an image', load: () => import('./history.ts') }
const import_: Entry = { summary: 'Import the contents from a tarball to create a filesystem image', load: () => import('./import.ts') }
const inspect: Entry = { summary: 'Return low-level information on Docker objects', load: () => import('./inspect.ts') }
const kill: Entry = { summary: 'Kill one or more running containers', load: () => import('./kill.ts') }
const load: Entry = { summary: 'Load an image from a tar archive or STDIN', load: () => import('./load.ts') }
const pause: Entry = { summary: 'Pause all processes within one or more containers', load: () => import('./pause.ts') }
const port: Entry = { summary: 'List port mappings or a specific mapping for the container', load: () => import('./port.ts') }
const pull: Entry = { summary: 'Download an image from a registry', common: true, load: () => import('./pull.ts') }
const push: Entry = { summary: 'Upload an image to a registry', common: true, load: () => import('./push.ts') }
const login: Entry = { summary: 'Authenticate to a registry', common: true, load: () => import('./login.ts') }
const logout: Entry = { summary: 'Log out from a registry', common: true, load: () => import('./logout.ts') }
const search: Entry = { summary: 'Search Docker Hub for images', common: true, load: () => import('./search.ts') }
const rename: Entry = { summary: 'Rename a container', load: () => import('./rename.ts') }
const restart: Entry = { summary: 'Restart one or more containers', load: () => import('./restart.ts') }
const rm: Entry = { summary: 'Remove one or more containers', load: () => import('./rm.ts') }
const rmi: Entry = { summary: 'Remove one or more images', load: () => import('./rmi.ts') }
const save: Entry = { summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)', load: () => import('./save.ts') }
const start: Entry = { summary: 'Start one or more stopped containers', load: () => import('./start.ts') }
const stats: Entry = { summary: 'Display a live stream of container(s) resource usage statistics', load: () => import('./stats.ts') }
const stop: Entry = { summary: 'Stop one or more running containers', load: () => import('./stop.ts') }
const tag: Entry = { summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', load: () => import('./tag.ts') }
const top: Entry = { summary: 'Display the running processes of a container', load: () => import('./top.ts') }
const unpause: Entry = { summary: 'Unpause all processes within one or more containers', load: () => import('./unpause.ts') }
const update: Entry = { summary: 'Update configuration of one or more containers', load: () => import('./update.ts') }
const wait: Entry = { summary: 'Block until one or more containers stop, then print their exit codes', load: () => import('./wait.ts') }

const completion: Entry = { summary: 'Print what a shell reads to complete command lines of engine', load: () => import('./completion.ts') }

/** Every command by its name; a command's module is loaded when it is called. */
export const commands: Readonly<Record<string, Entry>> = {
  run, exec, ps, logs, build, pull, push, images, login, logout, search, explain, version, info,
  attach, commit, completion, cp, create, diff, events, export: export_, history, import: import_, inspect, kill, load, pause, port, rename, restart, rm, rmi, save, start, stats, stop, tag, top, unpause, update, wait,
}

const trace: Entry = { summary: 'Walk the way of a packet, and name what stops it', load: () => import('./net-trace.ts') }

/** Commands in the form `engine container ls`. */
export const groups: Readonly<Record<string, Group>> = {
  builder: {
    summary: 'Manage builds',
    commands: {
      build,
      prune: { summary: 'Remove build cache', load: () => import('./builder-prune.ts') },
    },
  },
  container: {
    summary: 'Manage containers',
    commands: {
      attach, commit, cp, create, diff, exec, explain, export: export_,
      inspect: { summary: 'Display detailed information on one or more containers', load: () => import('./container-inspect.ts') },
      kill, logs,
      ls: { ...ps, aliases: ['list', 'ps'] },
      pause, port,
      prune: { summary: 'Remove all stopped containers', load: () => import('./container-prune.ts') },
      rename, restart,
      rm: { ...rm, aliases: ['remove'] },
      run, start, stats, stop, top, unpause, update, wait,
    },
  },
  image: {
    summary: 'Manage images',
    commands: {
      build, history, import: import_,
      inspect: { summary: 'Display detailed information on one or more images', load: () => import('./image-inspect.ts') },
      load,
      ls: { ...images, aliases: ['list'] },
      prune: { summary: 'Remove unused images', load: () => import('./image-prune.ts') },
      pull, push,
      rm: { ...rmi, aliases: ['remove'] },
      save, tag,
    },
  },
  net: { summary: 'Look into the network', commands: { trace } },
  network: {
    summary: 'Manage networks',
    commands: {
      connect: { summary: 'Connect a container to a network', load: () => import('./network-connect.ts') },
      create: { summary: 'Create a network', load: () => import('./network-create.ts') },
      disconnect: { summary: 'Disconnect a container from a network', load: () => import('./network-disconnect.ts') },
      inspect: { summary: 'Display detailed information on one or more networks', load: () => import('./network-inspect.ts') },
      ls: { summary: 'List networks', aliases: ['list'], load: () => import('./network-ls.ts') },
      prune: { summary: 'Remove all unused networks', load: () => import('./network-prune.ts') },
      rm: { summary: 'Remove one or more networks', aliases: ['remove'], load: () => import('./network-rm.ts') },
    },
  },
  system: {
    summary: 'Manage the engine',
    commands: {
      df: { summary: 'Show how much space images, containers, volumes and the build cache take', load: () => import('./system-df.ts') },
      events, info,
      prune: { summary: 'Remove stopped containers, and unused networks and images', load: () => import('./system-prune.ts') },
    },
  },
  volume: {
    summary: 'Manage volumes',
    commands: {
      clone: { summary: 'Create a volume with the contents of another, whose users go on', load: () => import('./volume-clone.ts') },
      create: { summary: 'Create a volume', load: () => import('./volume-create.ts') },
      export: { summary: "Export a volume's files as a tar archive, without stopping who uses them", load: () => import('./volume-export.ts') },
      import: { summary: 'Extract a tar archive into a volume, which is made if there is none', load: () => import('./volume-import.ts') },
      inspect: { summary: 'Display detailed information on one or more volumes', load: () => import('./volume-inspect.ts') },
      ls: { summary: 'List volumes', aliases: ['list'], load: () => import('./volume-ls.ts') },
      prune: { summary: 'Remove unused local volumes', load: () => import('./volume-prune.ts') },
      rename: { summary: 'Rename a volume that no container has', load: () => import('./volume-rename.ts') },
      rm: { summary: 'Remove one or more volumes', aliases: ['remove'], load: () => import('./volume-rm.ts') },
      snapshot: { summary: 'Keep a volume as it is now under a name of its own', load: () => import('./volume-snapshot.ts') },
    },
  },
}

/** Looks a command up by name or alias. */
export function findEntry(among: Readonly<Record<string, Entry>>, name: string): Entry | undefined {
  if (Object.hasOwn(among, name)) return among[name]
  return Object.values(among).find(({ aliases }) => aliases?.includes(name))
}

/** All ways to call the command that `load` belongs to, for help: `container ls, container list, ps`. */
export function namesOfEntry(entry: Entry): string[] {
  const own = Object.entries(commands).filter(([, other]) => other.summary === entry.summary).map(([name]) => name)
  const grouped = Object.entries(groups).flatMap(([group, { commands: members }]) => Object.entries(members)
    .filter(([, other]) => other.summary === entry.summary)
    .flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((one) => `${group} ${one}`)))
  return [...grouped, ...own]
}
