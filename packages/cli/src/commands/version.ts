import { API_VERSION, ApiError } from '../connection/client.ts'
import { text } from '../arguments/flag.ts'
import { hostArchitecture } from '../arguments/platform.ts'
import { alignColumns } from '../output/table.ts'
import { VERSION } from '../version.ts'
import { defineCommand } from './command.ts'
import { describeError } from './messages.ts'
import { print, printError } from '../terminal/output.ts'

interface ServerVersion {
  readonly Platform?: { readonly Name?: string }
  readonly Version: string
  readonly Components?: readonly { readonly Name: string; readonly Version: string; readonly Details?: Readonly<Record<string, string>> | null }[]
}

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Show the engine version information',
  examples: [["engine version -f '{{.Server.Version}}'", 'the daemon\'s alone']],
  flags: { format: text("Format output: 'json' or a Go template", { short: 'f' }) },
  args: [0, 0],
  async run({ flags }, { client }) {
    let server: ServerVersion | undefined
    let failure: unknown
    try {
      server = (await client.request<ServerVersion>('GET', '/version')).body
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      failure = error
    }
    const own = {
      Version: VERSION, ApiVersion: API_VERSION, DefaultAPIVersion: API_VERSION, NodeVersion: process.version, Os: process.platform, Arch: hostArchitecture(),
    }
    if (flags.format === undefined || flags.format === '') print(show(own, server))
    else if (flags.format === 'json') print(`${JSON.stringify({ Client: own, Server: server ?? null })}\n`)
    else {
      const { compile, typed } = await import('../output/go-template/index.ts')
      print(`${compile(flags.format)(typed({ Client: own, Server: server === undefined ? null : { Experimental: false, ...server } }))}\n`)
    }
    if (failure === undefined) return 0
    printError(`${describeError(failure)}\n`)
    return 1
  },
})

function show(own: Readonly<Record<string, string>>, server: ServerVersion | undefined): string {
  const lines: string[][] = [
    ['Client:'],
    [' Version:', own['Version'] ?? ''],
    [' API version:', own['ApiVersion'] ?? ''],
    [' Node.js version:', own['NodeVersion'] ?? ''],
    [' OS/Arch:', `${own['Os']}/${own['Arch']}`],
  ]
  if (server !== undefined) {
    const name = server.Platform?.Name ?? ''
    lines.push([''], [name === '' ? 'Server:' : `Server: ${name}`])
    for (const component of server.Components ?? []) lines.push([` ${component.Name}:`], ['  Version:', component.Version], ...details(component.Details ?? {}))
  }
  return alignColumns(lines, 20, 1)
}

/** What a component says of itself, in docker's words and order; what docker does not know follows. */
function details(of: Readonly<Record<string, string>>): string[][] {
  const { ApiVersion, MinAPIVersion, Os, Arch, GoVersion, GitCommit, BuildTime, Experimental, KernelVersion, ...more } = of
  const line = (label: string, value: string | undefined): string[][] => (value === undefined || value === '' ? [] : [[`  ${label}:`, value]])
  return [
    ...line('API version', ApiVersion === undefined ? undefined : `${ApiVersion} (minimum version ${MinAPIVersion ?? ApiVersion})`),
    ...line(GoVersion?.startsWith('node') === true ? 'Node.js version' : 'Go version', GoVersion?.replace(/^node-/, 'v')),
    ...Object.entries(more).flatMap(([key, value]) => line(key, value)),
    ...line('Git commit', GitCommit),
    ...line('Built', BuildTime),
    ...line('OS/Arch', Os === undefined ? undefined : `${Os}/${Arch ?? ''}`),
    ...line('Kernel', KernelVersion),
    ...line('Experimental', Experimental),
  ]
}
