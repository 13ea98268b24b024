import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run } from '../harness/command-line.ts'
import { dist } from '../harness/daemon.ts'

const answers: Readonly<Record<string, unknown>> = {
  '/containers/json': [{ Names: ['/web'] }, { Names: ['/store'] }],
  '/images/json': [{ RepoTags: ['busybox:latest', 'host:5000/app:1'] }, { RepoTags: null }],
  '/networks': [{ Name: 'bridge' }, { Name: 'front' }],
  '/volumes': { Volumes: [{ Name: 'data' }] },
}

describe('completion', () => {
  let directory = ''
  let host = ''
  let server: Server
  const asked: string[] = []

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-completion-'))
    host = `unix://${join(directory, 's')}`
    server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://x')
      asked.push(`${url.pathname.replace(/^\/v1\.\d+/, '')}${url.search}`)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answers[url.pathname.replace(/^\/v1\.\d+/, '')] ?? []))
    })
    await new Promise<void>((resolve) => server.listen(join(directory, 's'), resolve))
    writeFileSync(join(directory, 'engine'), `#!/bin/sh\nexec ${join(dist, 'bin/node')} -- ${join(dist, 'engine.cjs')} "$@"\n`, { mode: 0o755 })
  })
  after(() => {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const complete = async (...words: readonly string[]): Promise<string[]> => {
    const { stdout } = await run(join(directory, 'engine'), ['__complete', ...words], { env: { ENGINE_HOST: host } })
    return stdout.split('\n').filter((line) => line !== '').map((line) => line.split('\t')[0] ?? '')
  }

  it('knows commands and groups', async () => {
    assert.deepEqual(await complete('res'), ['restart'])
    assert.deepEqual(await complete('contain'), ['container'])
    assert.deepEqual(await complete('container', 'unp'), ['unpause'])
    assert.deepEqual(await complete('-H', host, 'vol'), ['volume'])
    assert.deepEqual(await complete('help', 'renam'), ['rename'])
  })

  it('knows flags, and the values of some', async () => {
    assert.deepEqual(await complete('run', '--cpu-sh'), ['--cpu-shares'])
    assert.deepEqual(await complete('run', '--restart', 'a'), ['always'])
    assert.deepEqual(await complete('run', '--restart=un'), ['--restart=unless-stopped'])
    assert.deepEqual(await complete('run', '--network', 'f'), ['front'])
    // What follows the image is a command line of its own.
    assert.deepEqual(await complete('run', '-it', 'busybox', '--cpu'), [])
  })

  it('asks the daemon for names', async () => {
    assert.deepEqual(await complete('rm', '-f', ''), ['web', 'store'])
    assert.deepEqual(await complete('run', '-it', '-e', 'A', 'b'), ['busybox:latest'])
    assert.deepEqual(await complete('volume', 'rm', ''), ['data'])
    assert.deepEqual(await complete('network', 'inspect', 'b'), ['bridge'])
    asked.length = 0
    assert.deepEqual(await complete('exec', 'w'), ['web'])
    assert.deepEqual(asked, ['/containers/json'])
  })

  it('says nothing when there is no daemon', async () => {
    const { status, stdout, stderr } = await run(join(directory, 'engine'), ['-H', 'unix:///no/such/socket', '__complete', 'rm', ''])
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
  })

  // Not synchronously: the server that the command asks is in this process.
  const inBash = async (line: string): Promise<string> => {
    const script = `source <(engine completion bash); COMP_LINE=$1; COMP_POINT=\${#1}; _engine; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', line], { env: { PATH: `${directory}:${process.env['PATH'] ?? ''}`, ENGINE_HOST: host } })
    return stdout.trim()
  }

  it('works in bash, past colons', async () => {
    assert.equal(await inBash('engine sto'), 'stop')
    assert.equal(await inBash('engine rm web sto'), 'store')
    assert.equal(await inBash('engine rmi busybox:la'), 'latest')
    assert.equal(await inBash('engine rmi host:5000/a'), '5000/app:1')
    assert.equal(await inBash('engine rmi h'), 'host:5000/app:1')
  })

  for (const shell of ['zsh', 'fish']) {
    const path = ['/usr/bin', '/bin'].map((at) => join(at, shell)).find((file) => existsSync(file))
    it(`is ${shell}'s language`, { skip: path === undefined ? `${shell} is not installed` : false }, async () => {
      const { stdout } = await run(join(directory, 'engine'), ['completion', shell])
      execFileSync(path ?? '', ['-n'], { input: stdout })
    })
  }

  it('has man pages', async () => {
    const { stdout } = await run(join(directory, 'engine'), ['help', '--man', 'run'])
    assert.match(stdout, /^\.TH "ENGINE\\-RUN" 1 /)
    assert.match(stdout, /\n\.TP\n\.B \\-d, \\-\\-detach\n/)
  })
})
