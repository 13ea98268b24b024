// npm run bench [-- --docker unix:///…] [-- --rounds N]: engine against a Docker (or Podman) service, interleaved in one run.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { dist, startDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { ApiSession, idOf } from './api-session.ts'
import { benchBuild } from './build.ts'
import { benchLogs } from './logs.ts'
import { benchPull } from './pull.ts'
import { benchContainers, benchSandboxes } from './many.ts'
import { benchNetwork } from './network.ts'
import { benchParallel } from './parallel.ts'
import { interleaved, median, report } from './measure.ts'

const modes = { pull: { type: 'boolean', default: false }, build: { type: 'boolean', default: false }, network: { type: 'boolean', default: false }, logs: { type: 'boolean', default: false }, many: { type: 'boolean', default: false } } as const
const { values } = parseArgs({ options: { docker: { type: 'string' }, rounds: { type: 'string' }, 'docker-network': { type: 'string' }, ...modes } })
const rounds = Number(values.rounds ?? (values.pull || values.logs ? 3 : values.build ? 5 : 20))
const docker = values.docker ?? process.env['DOCKER_HOST'] ?? (existsSync('/var/run/docker.sock') ? 'unix:///var/run/docker.sock' : undefined)

await using daemon = await startDaemon({ 'log-level': 'warn' })
const engineApi = new ApiSession(daemon.host)
const dockerApi = docker === undefined ? undefined : new ApiSession(docker)
for (const api of [engineApi, dockerApi]) if (api !== undefined) await api.upload('/images/create?fromSrc=-&repo=bench-busybox&tag=latest', busyboxTar())

if (values.pull || values.build || values.logs) {
  if (values.pull) await benchPull(daemon, engineApi, dockerApi, rounds, values['docker-network'])
  if (values.build) await benchBuild(daemon.host, docker, rounds)
  if (values.logs) await benchLogs({ engine: daemon.host, ...(docker === undefined ? {} : { docker }) }, rounds)
  engineApi.close()
  dockerApi?.close()
  await daemon[Symbol.asyncDispose]()
  process.exit()
}

if (values.many) {
  await benchContainers(engineApi)
  engineApi.close()
  await daemon[Symbol.asyncDispose]()
  // Last: it takes this process into a namespace of its own.
  await benchSandboxes()
  process.exit()
}

if (values.network) {
  await benchNetwork(engineApi, dockerApi, rounds)
  engineApi.close()
  dockerApi?.close()
  await daemon[Symbol.asyncDispose]()
  process.exit()
}

/** The same work for both, engine first. */
function both(work: (api: ApiSession) => Promise<void>): Record<string, () => Promise<void>> {
  return { engine: () => work(engineApi), ...(dockerApi === undefined ? {} : { docker: () => work(dockerApi) }) }
}

async function life(api: ApiSession, network: string): Promise<void> {
  const id = idOf(await api.call('POST', '/containers/create', { Image: 'bench-busybox', Cmd: ['true'], HostConfig: { NetworkMode: network } }))
  await api.call('POST', `/containers/${id}/start`)
  await api.call('POST', `/containers/${id}/wait`)
  await api.call('DELETE', `/containers/${id}`)
}

function command(program: readonly string[], args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program[0] ?? '', [...program.slice(1), ...args], { stdio: 'ignore' })
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program.join(' ')} ${args.join(' ')}: ${code}`))))
  })
}

const engineCommand = [join(dist, 'bin/node'), '--', join(dist, 'engine.cjs'), '--host', daemon.host]
const commands = (args: readonly string[]): Record<string, () => Promise<void>> => ({
  engine: () => command(engineCommand, args),
  ...(docker === undefined ? {} : { docker: () => command(['docker', '-H', docker], args) }),
})

process.stdout.write(`${rounds} rounds, medians; load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}\n`)
report('run --rm --network none, command line', await interleaved(commands(['run', '--rm', '--network', 'none', 'bench-busybox', 'true']), rounds), 0.5)
report('run --rm on the bridge, command line', await interleaved(commands(['run', '--rm', 'bench-busybox', 'true']), rounds))
report('API create+start+wait+delete, network none', await interleaved(both((api) => life(api, 'none')), rounds), 0.3)
report('API create+start+wait+delete, bridge', await interleaved(both((api) => life(api, 'bridge')), rounds), 0.25)
await benchParallel({ engine: daemon.host, ...(docker === undefined ? {} : { docker }) }, Math.min(rounds, 3))
await benchNetwork(engineApi, dockerApi, Math.min(rounds, 5))

{
  // The same engine without its ledger: what the record of a container's life costs.
  await using silent = await startDaemon({ 'log-level': 'warn', ledger: false })
  const silentApi = new ApiSession(silent.host)
  await silentApi.upload('/images/create?fromSrc=-&repo=bench-busybox&tag=latest', busyboxTar())
  const lives = await interleaved({ recording: () => life(engineApi, 'none'), silent: () => life(silentApi, 'none') }, rounds * 5)
  process.stdout.write(`the ledger's cost: ${((median(lives['recording'] ?? []) / median(lives['silent'] ?? []) - 1) * 100).toFixed(1)} % of create+start+wait+delete (wanted: below 5)\n`)
  silentApi.close()
}

const sleepers = new Map<ApiSession, string>()
for (const api of [engineApi, dockerApi]) {
  if (api === undefined) continue
  const id = idOf(await api.call('POST', '/containers/create', { Image: 'bench-busybox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'none' } }))
  await api.call('POST', `/containers/${id}/start`)
  sleepers.set(api, id)
}
report('API exec create+start+end+inspect', await interleaved(both(async (api) => {
  const exec = idOf(await api.call('POST', `/containers/${sleepers.get(api)}/exec`, { Cmd: ['true'], AttachStdout: true, AttachStderr: true }))
  await api.execToEnd(exec)
  await api.call('GET', `/exec/${exec}/json`)
}), rounds), 0.4)
for (const [api, id] of sleepers) await api.call('DELETE', `/containers/${id}?force=1`)

const bare = await interleaved({ node: () => command([join(dist, 'bin/node')], ['-e', '0']), engine: () => command(engineCommand, ['--version']) }, rounds)
process.stdout.write(`command line's start beyond bare Node's: ${(median(bare['engine'] ?? []) - median(bare['node'] ?? [])).toFixed(1)} ms (wanted: at most 35)\n`)

/** Memory of this daemon's processes, the keeper among them: proportional set size, in MiB. Median of three, settled. */
async function memory(): Promise<number> {
  const samples: number[] = []
  for (let i = 0; i < 3; i++) {
    await sleep(1500)
    const keepers = readFileSync(`/proc/${daemon.shimPid()}/task/${daemon.shimPid()}/children`, 'utf8').split(' ').map(Number).filter((pid) => pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'engine-keeper')
    samples.push([daemon.pid(), daemon.shimPid(), ...keepers].reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024, 0))
  }
  return median(samples)
}

await daemon.stop()
await daemon.start()
const idle = await memory()
const ids: string[] = []
for (let i = 0; i < 50; i++) {
  const id = idOf(await engineApi.call('POST', '/containers/create', { Image: 'bench-busybox', Cmd: ['sleep', '1000'] }))
  await engineApi.call('POST', `/containers/${id}/start`)
  ids.push(id)
}
await sleep(5000)
const with50 = await memory()
process.stdout.write(`memory of engined and engine-shim (PSS): ${idle.toFixed(1)} MiB with no container (wanted: at most 150), ${(with50 - idle).toFixed(1)} MiB more with 50 idle ones (wanted: at most 10)\n`)
for (const id of ids) await engineApi.call('DELETE', `/containers/${id}?force=1`)
engineApi.close()
dockerApi?.close()
