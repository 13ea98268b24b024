import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestDaemon } from '../harness/daemon.ts'
import { makeImage, putImage, startRegistry } from '../harness/registry.ts'
import { interleaved, report } from './measure.ts'
import type { ApiSession } from './api-session.ts'

const layers = 10
const files = 20_000
const bytes = 300e6

/**
 * The tars of ten layers: a part of this machine's /usr, 20,000 files or 300 MB of it, with their directories. What that is differs from
 * machine to machine, so only ratios of one run mean something.
 */
function layerTars(directory: string): Buffer[] {
  const found = execFileSync('find', ['/usr/share', '/usr/lib', '/usr/bin', '-xdev', '(', '-type', 'f', '-o', '-type', 'd', '-o', '-type', 'l', ')', '-size', '-8000k', '-printf', '%s %p\\0'], { maxBuffer: 1 << 28 })
  const taken: string[] = []
  let total = 0
  for (const line of found.toString().split('\0')) {
    if (taken.length >= files || total >= bytes) break
    const [size = '0', path = ''] = line.split(/ (.*)/s)
    taken.push(path)
    total += Number(size)
  }
  process.stdout.write(`image of ${taken.length} files, ${(total / 1e6).toFixed(0)} MB\n`)
  const share = Math.ceil(taken.length / layers)
  return Array.from({ length: layers }, (_, i) => {
    writeFileSync(join(directory, 'list'), taken.slice(i * share, (i + 1) * share).join('\0'))
    return execFileSync('tar', ['--null', '--no-recursion', '-T', join(directory, 'list'), '-cf', '-', '--numeric-owner'], { maxBuffer: 1 << 29, stdio: ['ignore', 'pipe', 'ignore'] })
  })
}

/** Pulls an image of ten layers by both, in turns, from a registry that both reach; and tells what memory engined takes meanwhile. */
export async function benchPull(daemon: TestDaemon, engine: ApiSession, docker: ApiSession | undefined, rounds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'engine-bench-'))
  try {
    await using registry = await startRegistry()
    const image = makeImage(layerTars(directory))
    await putImage(registry.url, 'bench', '1', image)
    process.stdout.write(`compressed ${(image.layers.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(0)} MB in ${layers} layers\n`)
    const name = `${registry.host}/bench`
    const pull = (api: ApiSession) => async (): Promise<void> => {
      const answer = await api.text('POST', `/images/create?fromImage=${name}&tag=1`)
      if (!answer.includes('Downloaded newer image')) throw new Error(`not pulled: ${answer.slice(-500)}`)
    }
    const remove = (api: ApiSession): Promise<unknown> => api.call('DELETE', `/images/${name}:1?force=1`)
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, memoryOf(daemon.pid()))), 50)
    const times: Record<string, number[]> = {}
    for (let round = 0; round < rounds; round++) {
      for (const [who, api] of [['engine', engine], ['docker', docker]] as const) {
        if (api === undefined) continue
        execFileSync('sync')
        const [one] = Object.values(await interleaved({ [who]: pull(api) }, 1, 0))
        ;(times[who] ??= []).push(...(one ?? []))
        await remove(api)
        // engined deletes in the background; the next pull is not to be measured with it.
        while (readdirSync(join(daemon.dataRoot, 'overlay2/.trash')).length > 0) await sleep(100)
      }
    }
    clearInterval(watch)
    report('pull of ten layers', times, 0.5)
    process.stdout.write(`memory of engined during it (RSS): at most ${most.toFixed(0)} MiB (wanted: at most 250)\n`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}
