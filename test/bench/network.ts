import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { z } from 'zod'
import { peerCredentials } from '@engine/linux/peer-credentials'
import { iperfTar } from '../harness/images.ts'
import { idOf, type ApiSession } from './api-session.ts'
import { interleaved, report } from './measure.ts'

const MiB = 1024 * 1024
const port = 5001
const hostPort = 18_480
/** Where iperf3's server is, in its container and on the host; and seconds that it sends. */
const [iperfPort, iperfHostPort, seconds] = [5201, 18_481, 2]

const inspected = z.object({ State: z.object({ Pid: z.number() }), NetworkSettings: z.object({ IPAddress: z.string() }) })

const received = z.object({ end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }) })
const datagrams = z.object({ end: z.object({ sum: z.object({ packets: z.number(), seconds: z.number() }), cpu_utilization_percent: z.object({ host_total: z.number() }) }) })

/** Two containers of an engine, one of which takes in bytes, and the process in whose network the engine's host is. */
interface Pair {
  readonly api: ApiSession
  readonly ids: readonly string[]
  readonly host: number
  readonly client: number
  readonly address: string
  readonly server: ChildProcess
}

/** Throughput between containers, and to a published port from the host by loopback: how long so many MiB take. */
export async function benchNetwork(engine: ApiSession, docker: ApiSession | undefined, rounds: number): Promise<void> {
  const pairs = new Map<string, Pair>()
  try {
    pairs.set('engine', await open(engine))
    if (docker !== undefined) pairs.set('docker', await open(docker))
    const each = (send: (pair: Pair) => Promise<number | void>): Record<string, () => Promise<number | void>> => Object.fromEntries([...pairs].map(([name, pair]) => [name, () => send(pair)]))
    report('512 MiB from container to container', await interleaved(each(({ client, address }) => send(client, address, port, 512)), rounds, 1), 1)
    report('512 MiB to a published port, by loopback', await interleaved(each(({ host }) => send(host, '127.0.0.1', hostPort, 512)), rounds, 1), 1)
    report('64 MiB to a published port, by ::1 (relayed)', await interleaved(each(({ host }) => send(host, '::1', hostPort, 64)), rounds, 1), 1)
    report('iperf3: a GiB from container to container', await interleaved(each(({ client, address }) => tcp(client, address, iperfPort)), rounds, 1), 1)
    report('iperf3: a GiB back', await interleaved(each(({ client, address }) => tcp(client, address, iperfPort, '-R')), rounds, 1), 1)
    report('iperf3: a GiB in 4 connections', await interleaved(each(({ client, address }) => tcp(client, address, iperfPort, '-P', '4')), rounds, 1), 1)
    report('iperf3: processor for a million datagrams', await interleaved(each(({ client, address }) => udp(client, address, iperfPort)), rounds, 1), 1)
    report('iperf3: a GiB to a published port, by loopback', await interleaved(each(({ host }) => tcp(host, '127.0.0.1', iperfHostPort)), rounds, 1), 1)
  } finally {
    for (const { api, ids, server } of pairs.values()) {
      server.kill('SIGKILL')
      for (const id of ids) await api.call('DELETE', `/containers/${id}?force=1`)
    }
  }
}

async function open(api: ApiSession): Promise<Pair> {
  const ids: string[] = []
  const start = async (more: object): Promise<z.infer<typeof inspected>> => {
    const id = idOf(await api.call('POST', '/containers/create', { Image: 'bench-iperf3', Cmd: ['sleep', '1000'], ...more }))
    ids.push(id)
    await api.call('POST', `/containers/${id}/start`)
    return inspected.parse(await api.call('GET', `/containers/${id}/json`))
  }
  await api.upload('/images/create?fromSrc=-&repo=bench-iperf3&tag=latest', iperfTar())
  const server = await start({
    Cmd: ['iperf3', '-s'],
    ExposedPorts: { [`${port}/tcp`]: {}, [`${iperfPort}/tcp`]: {} },
    HostConfig: { PortBindings: { [`${port}/tcp`]: [{ HostPort: String(hostPort) }], [`${iperfPort}/tcp`]: [{ HostPort: String(iperfHostPort) }] } },
  })
  const client = await start({})
  return { api, ids, host: await listenerOf(api.socketPath), client: client.State.Pid, address: server.NetworkSettings.IPAddress, server: await sink(server.State.Pid) }
}

/** The process that listens at a socket: its network is where the engine's host is. */
function listenerOf(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      const handle: unknown = Reflect.get(socket, '_handle')
      const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
      resolve(typeof fd === 'number' ? peerCredentials(fd).pid : process.pid)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

/** A server in a process's network that says when it has all. */
async function sink(pid: number): Promise<ChildProcess> {
  const code = `require('node:net').createServer({allowHalfOpen:true},(s)=>{s.on('error',()=>{});s.on('data',()=>{});s.on('end',()=>s.end('x'))}).listen(${port},'0.0.0.0',()=>console.log('up'))`
  const server = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, process.execPath, '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    server.stdout.once('data', () => resolve())
    server.once('exit', (status) => reject(new Error(`the server ended with ${status}`)))
  })
  return server
}

async function send(pid: number, address: string, to: number, amount: number): Promise<void> {
  const code = `const s=require('node:net').connect(${to},'${address}');const b=Buffer.alloc(262144);let n=${amount * MiB};const w=()=>{while(n>0){n-=b.length;if(!s.write(b))return s.once('drain',w)}s.end()};s.on('connect',w);s.on('data',()=>{});s.on('end',()=>process.exit(0));s.on('error',(e)=>{console.error(String(e));process.exit(1)})`
  await promisify(execFile)('nsenter', [`--net=/proc/${pid}/ns/net`, process.execPath, '-e', code])
}

/** Milliseconds that a GiB takes, as iperf3's server has it. */
async function tcp(pid: number, address: string, to: number, ...more: readonly string[]): Promise<number> {
  const { end } = received.parse(await iperf(pid, address, to, ...more))
  return (8 * 1024 * MiB * 1000) / end.sum_received.bits_per_second
}

/** Milliseconds of processor time that a million small datagrams cost their sender, which carries them to the other container: rules and all. */
async function udp(pid: number, address: string, to: number): Promise<number> {
  const { sum: { packets, seconds: taken }, cpu_utilization_percent: { host_total: percent } } = datagrams.parse(await iperf(pid, address, to, '-u', '-b', '0', '-l', '64')).end
  return (percent * 10 * taken * 1e6) / packets
}

async function iperf(pid: number, address: string, to: number, ...more: readonly string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)('nsenter', [`--net=/proc/${pid}/ns/net`, 'iperf3', '-c', address, '-p', String(to), '-t', String(seconds), '-J', ...more])
  return JSON.parse(stdout)
}
