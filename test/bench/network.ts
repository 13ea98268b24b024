import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { z } from 'zod'
import { peerCredentials } from '@engine/linux/peer-credentials'
import { idOf, type ApiSession } from './api-session.ts'
import { interleaved, report } from './measure.ts'

const MiB = 1024 * 1024
const port = 5001
const hostPort = 18_480

const inspected = z.object({ State: z.object({ Pid: z.number() }), NetworkSettings: z.object({ IPAddress: z.string() }) })

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
    const each = (send: (pair: Pair) => Promise<void>): Record<string, () => Promise<void>> => Object.fromEntries([...pairs].map(([name, pair]) => [name, () => send(pair)]))
    report('512 MiB from container to container', await interleaved(each(({ client, address }) => send(client, address, port, 512)), rounds, 1), 1)
    report('512 MiB to a published port, by loopback', await interleaved(each(({ host }) => send(host, '127.0.0.1', hostPort, 512)), rounds, 1), 1)
    report('64 MiB to a published port, by ::1 (relayed)', await interleaved(each(({ host }) => send(host, '::1', hostPort, 64)), rounds, 1), 1)
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
    const id = idOf(await api.call('POST', '/containers/create', { Image: 'bench-busybox', Cmd: ['sleep', '1000'], ...more }))
    ids.push(id)
    await api.call('POST', `/containers/${id}/start`)
    return inspected.parse(await api.call('GET', `/containers/${id}/json`))
  }
  const server = await start({ ExposedPorts: { [`${port}/tcp`]: {} }, HostConfig: { PortBindings: { [`${port}/tcp`]: [{ HostPort: String(hostPort) }] } } })
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
