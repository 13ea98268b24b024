import { execFile, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import type { ContainerConfig, HostConfig } from '@engine/engine'
import { createSandbox, removeSandbox } from '@engine/network'
import { openTestEngine, removal, type TestEngine } from './engine.ts'
import { enterPrivateHost, inSandbox, onHost } from './network-host.ts'

export const hostAddress = '198.51.100.1'
export const hostAddress6 = '2001:db8:51::1'
export const clientAddress = '198.51.100.2'

/** A running container of {@link PublishingHost}; it goes at the end of the scope. */
export interface PublishingContainer extends AsyncDisposable {
  readonly id: string
  readonly ports: Awaited<ReturnType<TestEngine['engine']['containers']['inspect']>>['NetworkSettings']['Ports']
  readonly address: string
  readonly gateway: string
  readonly sandbox: string
}

/** An engine on a host of the test's own, with a client outside. */
export interface PublishingHost extends AsyncDisposable {
  readonly test: TestEngine
  /** Path of the client's namespace. */
  readonly outside: string
  /** Starts a container on the bridge. */
  container(host: HostConfig, config?: ContainerConfig): Promise<PublishingContainer>
  /** The engine's rules. */
  table(): string
}

export async function openPublishingHost(): Promise<PublishingHost> {
  const outside = `/run/engine-test-outside-${process.pid}`
  const ended: (() => Promise<void>)[] = []
  await enterPrivateHost()
  await createSandbox(outside)
  onHost(`ip link add uplink0 type veth peer name out0 && ip link set out0 netns ${outside}`)
  onHost(`ip address add ${hostAddress}/24 dev uplink0 && ip address add ${hostAddress6}/64 dev uplink0 nodad && ip link set uplink0 up`)
  inSandbox(outside, `ip address add ${clientAddress}/24 dev out0 && ip address add 2001:db8:51::2/64 dev out0 nodad && ip link set out0 up`)
  const test = await openTestEngine({ after: (work) => void ended.push(work) })
  return {
    test,
    outside,
    container: (host, config = {}) => start(test, host, config),
    table: () => onHost(`nft list table inet ${test.options.nftablesTable}`),
    async [Symbol.asyncDispose]() {
      for (const work of ended) await work()
      removeSandbox(outside)
      rmSync(outside, { force: true })
    },
  }
}

async function start(test: TestEngine, host: HostConfig, config: ContainerConfig): Promise<PublishingContainer> {
  const bindings = host.PortBindings ?? {}
  const exposed = Object.fromEntries(Object.keys(bindings).map((port) => [port, {}]))
  const id = await test.create(['sleep', '1000'], { NetworkMode: 'bridge', ...host }, { ExposedPorts: exposed, ...config })
  try {
    await test.engine.containers.start(id)
  } catch (error) {
    await test.engine.containers.remove(id, removal)
    throw error
  }
  const { NetworkSettings } = await test.engine.containers.inspect(id, { size: false })
  return {
    id,
    ports: NetworkSettings.Ports,
    address: NetworkSettings.IPAddress,
    gateway: NetworkSettings.Gateway,
    sandbox: NetworkSettings.SandboxKey,
    [Symbol.asyncDispose]: () => test.engine.containers.remove(id, removal),
  }
}

/** Bindings of one port of a container's. */
export const published = (containerPort: string, ...places: readonly [ip: string, port: string][]): HostConfig => ({
  PortBindings: { [containerPort]: places.map(([HostIp, HostPort]) => ({ HostIp, HostPort })) },
})

/** Runs bash on the host (undefined) or in a namespace, while this process serves relayed connections; undefined when it fails. */
export function bash(from: string | undefined, script: string, seconds: number): Promise<string | undefined> {
  const command = ['timeout', String(seconds), 'bash', '-c', script]
  const [program = '', ...args] = from === undefined ? command : ['nsenter', `--net=${from}`, ...command]
  return new Promise((resolve) => execFile(program, args, (error, stdout) => resolve(error === null ? stdout.trim() || undefined : undefined)))
}

/** What a TCP server answers: the client's address as it sees it; undefined without an answer. */
export const ask = (from: string | undefined, address: string, port: number, seconds = 5): Promise<string | undefined> =>
  bash(from, `exec 3<>/dev/tcp/${address}/${port} && cat <&3`, seconds)

/** The same of UDP. */
export const askUdp = (from: string | undefined, address: string, port: number, seconds = 5): Promise<string | undefined> =>
  bash(from, `exec 3<>/dev/udp/${address}/${port}; echo >&3; dd bs=1500 count=1 status=none <&3`, seconds)

/** A server of UDP in a sandbox that tells each client its address. */
export async function serveUdp(sandbox: string, port: number): Promise<Disposable> {
  const code = `const s=require('node:dgram').createSocket('udp4');s.on('message',(m,r)=>s.send(r.address+'\\n',r.port,r.address));s.bind(${port},()=>console.log('up'))`
  const server = spawn('nsenter', [`--net=${sandbox}`, process.execPath, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve) => server.stdout.once('data', () => resolve()))
  return { [Symbol.dispose]: () => void server.kill('SIGKILL') }
}
