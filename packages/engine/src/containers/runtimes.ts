import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { deleteByRuntime, type OciRuntime } from '@engine/runtime'
import type { EngineOptions } from '../interface.ts'

/** engine's own way to make containers; Docker's name for its shim means it too. */
export const builtInRuntime = 'engine'
const ownNames: ReadonlySet<string> = new Set([builtInRuntime, 'io.containerd.runc.v2'])
/** Runtimes that need no configuration where they are installed. */
const wellKnown = ['runc', 'crun'] as const
const places = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

type Options = Pick<EngineOptions, 'runtimes' | 'execRoot'>

/** Whether containers may be made with a runtime of this name. `runc` always: every client of Docker's knows it. */
export function isRuntime(options: Options, name: string): boolean {
  return ownNames.has(name) || name === 'runc' || externalRuntime(options, name) !== undefined
}

/** Another program that makes containers of this runtime; undefined for engine's own way, which is also `runc` where no runc is installed. */
export function externalRuntime(options: Options, name: string): OciRuntime | undefined {
  const configured = Object.hasOwn(options.runtimes ?? {}, name) ? options.runtimes?.[name] : undefined
  const path = configured?.path ?? (wellKnown.some((known) => known === name) ? installed(name) : undefined)
  if (path === undefined || ownNames.has(name)) return undefined
  return { path: path.includes('/') ? path : (installed(path) ?? path), args: configured?.args ?? [], root: runtimeRoot(options, name) }
}

/** Where a runtime keeps the state of this engine's containers. */
export function runtimeRoot({ execRoot }: Pick<EngineOptions, 'execRoot'>, name: string): string {
  return join(execRoot, 'runtimes', name)
}

/** Every runtime that containers can be made with, as GET /info lists them. */
export function knownRuntimes(options: Options & Pick<EngineOptions, 'shimProgram'>): Record<string, { path: string; runtimeArgs?: string[] }> {
  const names = [...new Set([...wellKnown, ...Object.keys(options.runtimes ?? {})])]
  const external = names.flatMap((name) => {
    const runtime = externalRuntime(options, name)
    return runtime === undefined ? [] : [[name, { path: runtime.path, ...(runtime.args.length === 0 ? {} : { runtimeArgs: [...runtime.args] }) }] as const]
  })
  return { [builtInRuntime]: { path: options.shimProgram }, runc: { path: options.shimProgram }, ...Object.fromEntries(external) }
}

/** Lets the runtime of an ended container forget it. */
export async function forgetAtRuntime(options: Options, name: string, container: string, directory: string): Promise<void> {
  const runtime = externalRuntime(options, name)
  if (runtime !== undefined) await deleteByRuntime(runtime, container, join(directory, 'delete.log'))
}

function installed(program: string): string | undefined {
  return places.map((place) => join(place, program)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
