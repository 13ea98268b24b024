import { spawn } from 'node:child_process'

/** A nameserver outside of all engines. */
export interface TestNameServer extends AsyncDisposable {
  /** What it was asked, `name type protocol`. */
  asked(): string[]
}

/**
 * A nameserver at an address, by UDP and TCP, that has one address for every name, unless the name begins with `refused`.
 * @param where a sandbox, else the host; and the address that it answers with
 */
export async function serveNames(address: string, where: { readonly sandbox?: string; readonly answer?: string } = {}): Promise<TestNameServer> {
  const answer = Buffer.from((where.answer ?? '10.20.30.40').split('.').map(Number)).toString('hex')
  const program = `
    const dgram = require('node:dgram'), net = require('node:net')
    const reply = (q, by) => {
      let at = 12, labels = []
      while (q[at] > 0) { labels.push(q.toString('latin1', at + 1, at + 1 + q[at])); at += 1 + q[at] }
      const type = q.readUInt16BE(at + 1), end = at + 5, name = labels.join('.')
      console.log(name + ' ' + type + ' ' + by)
      const head = Buffer.alloc(12); q.copy(head, 0, 0, 2); head.writeUInt16BE(0x8180 | (name.startsWith('refused') ? 5 : 0), 2); head[5] = 1
      head.writeUInt16BE(type === 1 && !name.startsWith('refused') ? 1 : 0, 6)
      return Buffer.concat([head, q.subarray(12, end), head[7] ? Buffer.from('c00c000100010000003c0004${answer}', 'hex') : Buffer.alloc(0)])
    }
    const udp = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
    udp.on('message', (q, from) => udp.send(reply(q, 'udp'), from.port, from.address))
    net.createServer((s) => { s.on('error', () => {}); s.on('data', (d) => { const r = reply(d.subarray(2), 'tcp'), l = Buffer.alloc(2); l.writeUInt16BE(r.length); s.write(Buffer.concat([l, r])) }) })
      .listen(53, '${address}', () => udp.bind(53, '${address}', () => console.log('up')))`
  const node = [process.execPath, '-e', program]
  const [command = '', ...args] = where.sandbox === undefined ? node : ['nsenter', `--net=${where.sandbox}`, ...node]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', (code) => reject(new Error(`the nameserver ended with ${code}`)))
  })
  return {
    asked: () => said.split('\n').filter((line) => line !== '' && line !== 'up'),
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
  }
}
