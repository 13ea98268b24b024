import { spawn } from 'node:child_process'
import { interleaved, report } from './measure.ts'

const MEBIBYTES = 200
const BYTES = MEBIBYTES * 1024 * 1024
const NAME = 'bench-logs'
/** BYTES, in lines of 100 bytes with the line feed. */
const script = `yes ${'x'.repeat(99)} | head -c ${MEBIBYTES}m`

/**
 * Runs `docker … | wc -c`: a pipe and a reader that costs next to nothing, since Node's own reading of two million little writes would take longer than either engine.
 * @throws when the command fails, or prints something else than all of the output
 */
function counted(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-o', 'pipefail', '-c', 'docker "$@" | wc -c', 'docker', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    let answer = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (answer += text))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0 && Number(answer) === BYTES) resolve()
      else reject(new Error(`docker ${args.slice(0, 3).join(' ')} …: status ${code}, ${answer.trim()} bytes of ${BYTES}`))
    })
  })
}

function remove(host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('docker', ['-H', host, 'rm', '-f', NAME], { stdio: 'ignore' })
    child.on('error', reject)
    child.on('close', () => resolve())
  })
}

/**
 * Output of 200 MiB in short lines, attached and read back with `logs`; both by the docker command.
 * @param hosts `unix://…` by engine, the one to be compared first; each has the image bench-busybox
 */
export async function benchLogs(hosts: Readonly<Record<string, string>>, rounds: number): Promise<void> {
  const subjects = (args: readonly string[]): Record<string, () => Promise<void>> =>
    Object.fromEntries(Object.entries(hosts).map(([engine, host]) => [engine, () => counted(['-H', host, ...args])]))
  const attached: Record<string, number[]> = {}
  const logs: Record<string, number[]> = {}
  const removeAll = async (): Promise<void> => {
    for (const host of Object.values(hosts)) await remove(host)
  }
  for (let round = 0; round < rounds; round++) {
    await removeAll()
    for (const [times, args] of [[attached, ['run', '--name', NAME, '--network', 'none', 'bench-busybox', 'sh', '-c', script]], [logs, ['logs', NAME]]] as const) {
      for (const [engine, measured] of Object.entries(await interleaved(subjects(args), 1, 0))) (times[engine] ??= []).push(...measured)
    }
  }
  await removeAll()
  report(`attached ${MEBIBYTES} MiB in 100-byte lines, command line`, attached, 0.5)
  report('logs of it', logs, 0.3)
}
