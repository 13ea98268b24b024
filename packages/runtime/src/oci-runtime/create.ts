import { closeSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import { realtime } from '@engine/linux/clock'
import { pidfdOpen } from '@engine/linux/pidfd'
import { pipe } from '@engine/linux/pipe'
import { setWindowSize } from '@engine/linux/window-size'
import type { Birth, BirthOutcome, Stdio } from '../process/birth.ts'
import type { ActionRecord, OciRuntime, StartRequest } from '../shim/messages.ts'
import { ConsoleSocket } from './console-socket.ts'
import { runRuntime, type RuntimeResult } from './run.ts'
import { adoptingOrphans } from './orphans.ts'

/** The newest version that every runtime of the last years takes; nothing in our specs is newer. */
const ociVersion = '1.0.2'

/** `step` of a failure that is another runtime's: its message is passed on as it is. */
export const runtimeStep = 'oci runtime'

/**
 * Has another OCI runtime make a container's first process: `create` on a bundle in the run directory, `start`. The runtime's own
 * process ends with `create`; the container's becomes this process's child.
 */
export function createByRuntime(request: StartRequest, runtime: OciRuntime, stdio: Stdio): Birth {
  const { read, write } = pipe()
  let outcome: BirthOutcome | undefined
  make(request, runtime, stdio)
    .catch((error: unknown): BirthOutcome => failed(error instanceof Error ? error.message : String(error), []))
    .then((made) => (outcome = made))
    .finally(() => closeSync(write))
    .catch(() => undefined)
  return {
    ready: read,
    finish() {
      closeSync(read)
      return outcome ?? failed('the runtime did not answer', [])
    },
  }
}

async function make(request: StartRequest, runtime: OciRuntime, stdio: Stdio): Promise<BirthOutcome> {
  const bundle = join(request.runDirectory, 'bundle')
  const pidFile = join(bundle, 'pid')
  const records: ActionRecord[] = []
  rmSync(bundle, { recursive: true, force: true })
  mkdirSync(bundle, { mode: 0o700 })
  mkdirSync(runtime.root, { recursive: true, mode: 0o700 })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify({ ...request.spec, ociVersion }), { mode: 0o600 })
  await using undo = new AsyncDisposableStack()
  const console = 'terminal' in stdio ? undo.use(await ConsoleSocket.listen(join(runtime.root, `${request.container.slice(0, 12)}.sock`))) : undefined
  const run = async (verb: string, args: readonly string[], streams?: Exclude<Stdio, { terminal: unknown }>): Promise<RuntimeResult> => {
    const at = realtime()
    const result = await runRuntime(runtime, [verb, ...args, request.container], { log: join(bundle, `${verb}.log`), ...(streams === undefined ? {} : { streams }) })
    records.push({ call: `${runtime.path} ${verb}`, args: { bundle }, result: result.code, nanoseconds: Number(realtime() - at), at: `${at}`, process: 'shim' })
    return result
  }
  const create = await adoptingOrphans(() => run('create', ['--bundle', bundle, '--pid-file', pidFile, ...(console === undefined ? [] : ['--console-socket', console.path])], 'terminal' in stdio ? undefined : stdio))
  undo.defer(async () => void (await run('delete', ['--force'])))
  if (create.code !== 0) return failed(create.message, records)
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const pidfd = pidfdOpen(pid)
  undo.defer(() => closeSync(pidfd))
  const master = console?.take()
  if (master !== undefined) undo.defer(() => closeSync(master))
  if (master !== undefined && 'terminal' in stdio) setWindowSize(master, stdio.terminal.rows, stdio.terminal.columns)
  const start = await run('start', [])
  if (start.code !== 0) return failed(start.message, records)
  undo.move()
  await console?.[Symbol.asyncDispose]()
  return { born: true, pid, pidfd, records, ...(master === undefined ? {} : { master }) }
}

function failed(message: string, records: readonly ActionRecord[]): BirthOutcome {
  return { born: false, failure: { errno: 0, step: runtimeStep, message }, records }
}

/** Lets a runtime forget a container, and kills what is left of it. @throws EngineError with what the runtime says */
export async function deleteByRuntime(runtime: OciRuntime, container: string, log: string): Promise<void> {
  const { code, message } = await runRuntime(runtime, ['delete', '--force', container], { log })
  if (code !== 0) throw new EngineError('internal', message)
}
