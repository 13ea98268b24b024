import { text } from '../arguments/flag.ts'
import { binarySize } from '../output/human.ts'
import { VERSION } from '../version.ts'
import { CommandError, defineCommand } from './command.ts'
import { fetchJson } from './inspect-objects.ts'
import { print, printError } from '../terminal/output.ts'

/** What `GET /info` answers, as far as it is shown. */
interface Info {
  readonly Containers: number
  readonly ContainersRunning: number
  readonly ContainersPaused: number
  readonly ContainersStopped: number
  readonly Images: number
  readonly ServerVersion: string
  readonly Driver: string
  readonly DriverStatus?: readonly (readonly [string, string])[] | null
  readonly LoggingDriver: string
  readonly CgroupDriver: string
  readonly CgroupVersion?: string
  readonly Plugins?: Readonly<Record<string, readonly string[] | null>>
  readonly Swarm?: { readonly LocalNodeState?: string }
  readonly Runtimes?: Readonly<Record<string, unknown>> | null
  readonly DefaultRuntime?: string
  readonly InitBinary?: string
  readonly SecurityOptions?: readonly string[] | null
  readonly KernelVersion: string
  readonly OperatingSystem: string
  readonly OSType: string
  readonly Architecture: string
  readonly NCPU: number
  readonly MemTotal: number
  readonly Name: string
  readonly ID: string
  readonly DockerRootDir: string
  readonly Debug: boolean
  readonly ExperimentalBuild: boolean
  readonly Labels?: readonly string[] | null
  readonly LiveRestoreEnabled: boolean
  readonly Warnings?: readonly string[] | null
}

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  flags: { format: text("Format output: 'json' or a Go template", { short: 'f' }) },
  args: [0, 0],
  async run({ flags }, { client }) {
    const json = await fetchJson(client, '/info')
    const info = JSON.parse(json) as Info
    if (flags.format === undefined || flags.format === '') {
      print(show(info))
      for (const warning of info.Warnings ?? []) printError(`${warning}\n`)
    } else if (flags.format === 'json') print(`${json.trim()}\n`)
    else {
      const { compile, typed } = await import('../output/go-template/index.ts')
      try {
        print(`${compile(flags.format)(typed(info))}\n`)
      } catch (error) {
        throw new CommandError(`template parsing error: ${(error as Error).message}`)
      }
    }
    return 0
  },
})

function show(info: Info): string {
  const lines = ['Client:', ` Version:    ${VERSION}`, ' Debug Mode: false', '', 'Server:']
  const add = (label: string, value: string | number | boolean): void => void lines.push(` ${label}: ${value}`)
  const block = (label: string, items: readonly string[]): void => void lines.push(` ${label}:`, ...items.map((item) => `  ${item}`))
  add('Containers', info.Containers)
  lines.push(`  Running: ${info.ContainersRunning}`, `  Paused: ${info.ContainersPaused}`, `  Stopped: ${info.ContainersStopped}`)
  add('Images', info.Images)
  add('Server Version', info.ServerVersion)
  add('Storage Driver', info.Driver)
  for (const [key, value] of info.DriverStatus ?? []) lines.push(`  ${key}: ${value}`)
  add('Logging Driver', info.LoggingDriver)
  add('Cgroup Driver', info.CgroupDriver)
  if (info.CgroupVersion !== undefined) add('Cgroup Version', info.CgroupVersion)
  const plugins = info.Plugins ?? {}
  block('Plugins', ['Volume', 'Network', 'Authorization', 'Log'].flatMap((kind) => {
    const names = plugins[kind] ?? []
    return names.length === 0 ? [] : [`${kind}: ${names.join(' ')}`]
  }))
  if (info.Swarm?.LocalNodeState !== undefined) add('Swarm', info.Swarm.LocalNodeState)
  if (info.Runtimes) add('Runtimes', Object.keys(info.Runtimes).join(' '))
  if (info.DefaultRuntime !== undefined) add('Default Runtime', info.DefaultRuntime)
  if (info.InitBinary !== undefined) add('Init Binary', info.InitBinary)
  if (info.SecurityOptions && info.SecurityOptions.length > 0) block('Security Options', info.SecurityOptions.flatMap(securityOption))
  add('Kernel Version', info.KernelVersion)
  add('Operating System', info.OperatingSystem)
  add('OSType', info.OSType)
  add('Architecture', info.Architecture)
  add('CPUs', info.NCPU)
  add('Total Memory', binarySize(info.MemTotal))
  add('Name', info.Name)
  add('ID', info.ID)
  add('Docker Root Dir', info.DockerRootDir)
  add('Debug Mode', info.Debug)
  if (info.Labels && info.Labels.length > 0) block('Labels', info.Labels)
  add('Experimental', info.ExperimentalBuild)
  add('Live Restore Enabled', info.LiveRestoreEnabled)
  return `${lines.join('\n')}\n\n`
}

/** `name=seccomp,profile=builtin` as `seccomp` and, below it, ` Profile: builtin`. */
function securityOption(option: string): string[] {
  const fields = option.split(',').map((field) => field.split('='))
  return fields.map(([key = '', value = '']) => (key === 'name' ? value : ` ${key.charAt(0).toUpperCase()}${key.slice(1)}: ${value}`))
}
