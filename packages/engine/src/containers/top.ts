import { execFile } from 'node:child_process'
import { EngineError } from '@engine/linux'
import { pids } from '@engine/runtime'
import type { EngineContext } from '../context.ts'
import type { ContainerTop } from '../types/container-views.ts'
import { cgroupPath } from './cgroup-path.ts'
import { notRunning } from './errors.ts'
import { isRunning } from './state.ts'

/**
 * A container's processes as the host's ps(1) shows them.
 * The host's and not one inside: a program of the container's must not run for the daemon (CVE-2022-1227).
 * @param psArgs options for ps; `-ef` when empty
 * @throws EngineError conflict when it is not running, internal with what ps says
 */
export async function top(engine: EngineContext, ref: string, psArgs: string): Promise<ContainerTop> {
  const container = engine.containers.find(ref)
  const args = (psArgs || '-ef').split(/\s+/).filter((word) => word !== '')
  for (const word of args) {
    // Another header for the pid's column would hide it: moby, validatePSArgs.
    const renamed = /^[^=\s]*?([A-Za-z]*)=\s*(PID\S*)$/.exec(word)
    if (renamed !== null && renamed[1] !== 'pid') throw new EngineError('invalid-argument', `specifying "${renamed[1]}=${renamed[2]}" is not allowed`)
  }
  if (!isRunning(container.state)) throw notRunning(container.id)
  if (container.state.status === 'restarting') throw new EngineError('conflict', `Container ${container.id} is restarting, wait until the container is running`)
  const own = pids(cgroupPath(engine.options, container))
  const result = parsePs(await psOf(args, own), new Set(own))
  engine.events.publish('container', 'top', container.id, container.attributes())
  return result
}

/** ps of some processes; some options (`f`, `aux`) do not go together with a list of them: then of those that the options choose. */
async function psOf(args: readonly string[], wanted: readonly number[]): Promise<string> {
  try {
    return await ps([...args, `-q${wanted.join(',')}`])
  } catch {
    return await ps(args)
  }
}

function ps(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('ps', [...args], { env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      if ('code' in error && String(error.code) === 'ENOENT') return reject(new EngineError('unavailable', 'the program ps is not installed on this host', { hint: 'apt install procps' }))
      reject(new EngineError('internal', `ps: ${stderr.trim().split('\n')[0] || `exit status ${String(error.code)}`}`, { cause: error }))
    })
  })
}

/**
 * Takes what ps printed apart: the last column has all the rest of its line. Rows without a pid (`-`, a thread) belong to the
 * row before.
 * @throws EngineError internal when there is no column PID
 */
export function parsePs(output: string, wanted: ReadonlySet<number>): ContainerTop {
  const [header = '', ...lines] = output.split('\n')
  const titles = header.trim().split(/\s+/)
  const column = titles.indexOf('PID')
  if (column < 0) throw new EngineError('internal', "Couldn't find PID field in ps output")
  const processes: string[][] = []
  let within = false
  for (const line of lines) {
    const fields = line.trim().split(/\s+/)
    if (fields[0] === '' || fields.length < titles.length) continue
    const pid = fields[column]
    if (pid !== '-') {
      if (!/^\d+$/.test(pid ?? '')) throw new EngineError('internal', `Unexpected pid '${pid}': strconv.Atoi: parsing ${JSON.stringify(pid)}: invalid syntax`)
      within = wanted.has(Number(pid))
    }
    if (within) processes.push([...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(' ')])
  }
  return { Titles: titles, Processes: processes }
}
