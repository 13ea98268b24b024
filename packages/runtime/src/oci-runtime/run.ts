import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import type { OciRuntime } from '../shim/messages.ts'

export interface RuntimeResult {
  readonly code: number
  /** What the runtime says when it failed. */
  readonly message: string
}

/** Runs a runtime's command and waits for it. @param options `streams` are inherited by the container; `log` is a file that is made and removed */
export async function runRuntime(
  { path, args, root }: OciRuntime,
  words: readonly string[],
  options: { readonly log: string; readonly streams?: { readonly stdin: number; readonly stdout: number; readonly stderr: number } },
): Promise<RuntimeResult> {
  const { log, streams } = options
  const child = spawn(path, [...args, '--root', root, '--log', log, '--log-format', 'json', ...words], {
    stdio: streams === undefined ? 'ignore' : [streams.stdin, streams.stdout, streams.stderr],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  const code = await new Promise<number | Error>((resolve) => {
    child.once('error', resolve)
    child.once('exit', (status, signal) => resolve(status ?? (signal === null ? 1 : 255)))
  })
  if (code instanceof Error) return { code: 127, message: `${path}: ${code.message}` }
  const message = lastError(log) ?? `${path} ${words[0]} ended with exit status ${code}`
  rmSync(log, { force: true })
  return { code, message }
}

/** The last error of a log of JSON lines, as runc and crun write it. */
function lastError(log: string): string | undefined {
  let text: string
  try {
    text = readFileSync(log, 'utf8')
  } catch {
    return undefined
  }
  return text.split('\n').flatMap((line) => messageOf(line)).at(-1)
}

function messageOf(line: string): string[] {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry !== 'object' || entry === null || !('msg' in entry) || typeof entry.msg !== 'string') return []
    return 'level' in entry && entry.level !== 'error' && entry.level !== 'fatal' ? [] : [entry.msg]
  } catch {
    return []
  }
}
