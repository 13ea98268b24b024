import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestDaemon } from '../harness/daemon.ts'
import { filesOfLayers, tarOfPaths } from '../harness/large-image.ts'
import { Podman } from '../harness/podman.ts'
import { makeImage, putImage, startRegistry, type TestRegistry } from '../harness/registry.ts'
import type { ApiSession } from './api-session.ts'
import { apiContender, podmanContender, type Contender } from './contenders.ts'
import { median, report } from './measure.ts'
import { watchResources, type Resources } from './resources.ts'

const layers = 10

/** The tars of ten layers: 20,000 files of some 300 MB. They differ from machine to machine, so only ratios of one run mean something. */
function layerTars(): Buffer[] {
  const found = filesOfLayers({ layers, files: 20_000, bytes: 350e6 })
  process.stdout.write(`image of ${found.files} files, ${(found.bytes / 1e6).toFixed(0)} MB\n`)
  return found.layers.map((paths) => tarOfPaths(paths))
}

/**
 * Pulls an image of ten layers from a registry on loopback, then loads it from an archive, by all in turns; and tells what engined takes
 * meanwhile. The archive is skopeo's, with uncompressed layers, as Docker writes them.
 * @param network file of a network namespace (`/proc/PID/ns/net`), when Docker has a loopback of its own: the registry is there as well
 */
export async function benchPull(daemon: TestDaemon, engine: ApiSession, docker: ApiSession | undefined, rounds: number, network?: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'engine-bench-'))
  const podman = Podman.isInstalled ? new Podman(directory) : undefined
  const contenders = [apiContender('engine', engine, daemon), ...(docker === undefined ? [] : [apiContender('docker', docker)]), ...(podman === undefined ? [] : [podmanContender(podman)])]
  try {
    await using registry = await startRegistry()
    const image = makeImage(layerTars())
    await putImage(registry.url, 'bench', '1', image)
    using _other = network === undefined ? undefined : serveIn(network, registry)
    process.stdout.write(`compressed ${(image.layers.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(0)} MB in ${layers} layers\n`)
    const reference = `${registry.host}/bench:1`
    const archive = join(directory, 'archive')
    execFileSync('skopeo', ['copy', '--quiet', '--src-tls-verify=false', `docker://${reference}`, `docker-archive:${archive}:${reference}`])
    await inTurns('pull of ten layers', contenders, daemon, rounds, 0.5, (one) => one.pull(reference), (one) => one.remove(reference))
    await inTurns('load of ten layers', contenders, daemon, rounds, 0.6, (one) => one.load(archive), (one) => one.remove(reference))
  } finally {
    await podman?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Measures work and undoes it, in turns; the medians against Docker's, and what engined took. */
async function inTurns(what: string, contenders: readonly Contender[], daemon: TestDaemon, rounds: number, target: number, work: (one: Contender) => Promise<void>, undo: (one: Contender) => Promise<void>): Promise<void> {
  const times: Record<string, number[]> = {}
  const taken: Resources[] = []
  for (let round = 0; round < rounds; round++) {
    for (const one of contenders) {
      execFileSync('sync')
      const watch = one.name === 'engine' ? watchResources(daemon) : undefined
      const start = performance.now()
      await work(one)
      ;(times[one.name] ??= []).push(performance.now() - start)
      if (watch !== undefined) taken.push(watch.stop())
      await undo(one)
    }
  }
  const { engine = [], ...others } = times
  for (const [name, other] of Object.entries(others)) report(what, { engine, [name]: other }, name === 'docker' ? target : 1)
  if (Object.keys(others).length === 0) report(what, { engine })
  const most = (of: 'rss' | 'pss'): string => Math.max(...taken.map((one) => one[of])).toFixed(0)
  const processor = (of: 'user' | 'system'): string => median(taken.map((one) => one[of])).toFixed(1)
  process.stdout.write(`engined during it: at most ${most('pss')} MiB (PSS; wanted: below 250), ${most('rss')} MiB resident; ${processor('user')} s of processor time, ${processor('system')} s in the kernel; load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}\n`)
}

/** The same registry once more, under the same address in another network namespace. */
function serveIn(network: string, registry: TestRegistry): Disposable {
  const child = spawn('nsenter', [`--net=${network}`, 'docker-registry', 'serve', join(registry.directory, 'config.yml')], { stdio: 'ignore' })
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') }
}
