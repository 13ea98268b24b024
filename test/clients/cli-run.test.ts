import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run, type Ended } from '../harness/command-line.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'

const node = join(dist, 'bin/node')
const program = ['--', join(dist, 'engine.cjs')]

describe('running from the command line', () => {
  let daemon: TestDaemon
  let directory = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-cli-run-'))
    daemon = await startDaemon()
    writeFileSync(join(directory, 'busybox.tar'), busyboxTar())
    const imported = await engine(['import', '-c', 'CMD ["sh"]', '-c', 'ENV PATH=/bin', join(directory, 'busybox.tar'), 'busybox'])
    assert.match(imported.stdout, /^sha256:[0-9a-f]{64}\n$/)
  })
  after(async () => {
    rmSync(directory, { recursive: true, force: true })
    await daemon?.[Symbol.asyncDispose]()
  })

  const environment = (): Record<string, string> => ({ ENGINE_HOST: daemon.host })
  const engine = (args: readonly string[], input = ''): Promise<Ended> => run(node, [...program, ...args], { input, env: environment(), cwd: directory })
  /** Runs a command that must succeed, and gives its standard output. */
  const ok = async (...args: readonly string[]): Promise<string> => {
    const ended = await engine(args)
    assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.stderr}`)
    return ended.stdout
  }
  const shell = (script: string, ...flags: readonly string[]): Promise<Ended> => engine(['run', '--rm', '--network', 'none', ...flags, 'busybox', 'sh', '-c', script])

  it('parts output from errors, and ends as the container ends', async () => {
    assert.deepEqual(await shell('echo out; echo err >&2; exit 3'), { status: 3, stdout: 'out\n', stderr: 'err\n' })
  })

  it('passes input on, to its end', async () => {
    const bytes = 'x'.repeat(300_000)
    assert.deepEqual(await engine(['run', '-i', '--rm', '--network', 'none', 'busybox', 'wc', '-c'], bytes), { status: 0, stdout: '300000\n', stderr: '' })
    assert.equal((await engine(['run', '--rm', '--network', 'none', 'busybox', 'cat'], 'not wanted')).stdout, '')
  })

  it('loses nothing of a lot of output', async () => {
    const { stdout, status } = await shell('seq 1 200000')
    assert.deepEqual([status, stdout.length, stdout.slice(-14)], [0, 1_288_895, '199999\n200000\n'])
  })

  it('gives 127 for a command that is not there, 126 for one that cannot be executed, 125 for the rest', async () => {
    const run_ = (...words: readonly string[]): Promise<Ended> => engine(['run', '--rm', '--network', 'none', ...words])
    const missing = await run_('busybox', 'nosuch')
    assert.equal(missing.status, 127)
    assert.match(missing.stderr, /^engine: Error response from daemon: .*exec: "nosuch": executable file not found in \$PATH.*\n\nRun 'engine run --help' for more information\n$/s)
    assert.equal((await run_('busybox', '/etc')).status, 126)
    const noImage = await run_('nosuch')
    assert.equal(noImage.status, 125)
    assert.match(noImage.stderr, /^Unable to find image 'nosuch:latest' locally\nengine: /)
    assert.equal((await run_('--pull', 'never', 'nosuch')).stderr.split('\n')[0], 'engine: Error response from daemon: No such image: nosuch:latest')
    assert.equal((await run_('--bogus', 'busybox')).status, 125)
    assert.equal(await ok('ps', '-aq'), '')
  })

  it('prints the ID in the background, and writes it to a cidfile', async () => {
    const id = (await ok('run', '-d', '--name', 'background', '--network', 'none', '--cidfile', 'id', 'busybox', 'sleep', '1000')).trim()
    assert.match(id, /^[0-9a-f]{64}$/)
    assert.equal(readFileSync(join(directory, 'id'), 'utf8'), id)
    assert.match((await engine(['run', '--cidfile', 'id', 'busybox', 'true'])).stderr, /^engine: container ID file found, make sure the other container isn't running or delete id/)
    assert.equal(await ok('ps', '-q', '--no-trunc'), `${id}\n`)
    assert.equal(await ok('stop', '-t', '0', 'background'), 'background\n')
    assert.equal(await ok('wait', 'background'), '137\n')
    assert.equal(await ok('rm', 'background'), 'background\n')
    assert.equal((await engine(['run', '--cidfile', 'other', 'nosuch'])).status, 125)
    assert.ok(!existsSync(join(directory, 'other')))
  })

  it('takes the environment from flags, files and its own', async () => {
    writeFileSync(join(directory, 'env'), 'FILE=1\n# no\nBOTH=file\nENGINE_HOST\n')
    const { stdout } = await shell('env', '--env-file', 'env', '-e', 'BOTH=flag', '-e', 'ENGINE_HOST', '-e', 'ENGINE_TEST_NONE')
    const lines = stdout.trim().split('\n')
    for (const line of ['FILE=1', 'BOTH=flag', `ENGINE_HOST=${daemon.host}`]) assert.ok(lines.includes(line), line)
    assert.ok(!lines.some((line) => line.startsWith('ENGINE_TEST_NONE')))
  })

  it('executes in a running container', async () => {
    await ok('run', '-d', '--name', 'target', '--network', 'none', 'busybox', 'sleep', '1000')
    assert.deepEqual(await engine(['exec', '-i', '-e', 'A=1', '-w', '/tmp', 'target', 'sh', '-c', 'cat; pwd; echo $A; echo e >&2; exit 7'], 'in\n'), { status: 7, stdout: 'in\n/tmp\n1\n', stderr: 'e\n' })
    assert.equal(await ok('exec', '-d', 'target', 'touch', '/done'), '')
    assert.equal((await engine(['exec', 'target', 'nosuch'])).status, 127)
    await ok('rm', '-f', 'target')
    assert.deepEqual(await engine(['exec', 'target', 'true']), { status: 1, stdout: '', stderr: 'Error response from daemon: No such container: target\n' })
  })

  it('starts with attachment what was created, and shows its log later', async () => {
    await ok('create', '--name', 'job', '--network', 'none', 'busybox', 'sh', '-c', 'echo hi; echo er >&2; exit 3')
    assert.deepEqual(await engine(['start', '-a', 'job']), { status: 3, stdout: 'hi\n', stderr: 'er\n' })
    const logs = await engine(['logs', 'job'])
    assert.deepEqual([logs.stdout, logs.stderr], ['hi\n', 'er\n'])
    assert.match(await ok('logs', '-t', '--tail', '1', 'job').catch(() => ''), /^(\d{4}-\d\d-\d\dT[\d:.]+Z hi\n)?$/)
    await ok('rm', 'job')
  })

  it('follows a log until the container ends', async () => {
    await ok('run', '-d', '--name', 'talker', '--network', 'none', 'busybox', 'sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.2; done')
    assert.equal(await ok('logs', '-f', 'talker'), '1\n2\n3\n')
    await ok('rm', '-f', 'talker')
  })

  it('passes signals on to the container', async () => {
    const child = spawn(node, [...program, 'run', '--rm', '--network', 'none', 'busybox', 'sh', '-c', 'trap "echo got; exit 11" TERM; echo ready; while :; do sleep 0.1; done'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment() } })
    let out = ''
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString()
      if (out === 'ready\n') child.kill('SIGTERM')
    })
    assert.equal(await ended, 11)
    assert.equal(out, 'ready\ngot\n')
  })

  it('leaves nothing behind with --rm', async () => {
    await shell('true', '-v', '/anonymous')
    assert.equal(await ok('ps', '-aq'), '')
    assert.equal(await ok('volume', 'ls', '-q'), '')
  })

  it('says where there is no daemon', async () => {
    const { status, stderr } = await engine(['-H', `unix://${join(directory, 'none.sock')}`, 'ps'])
    assert.equal(status, 1)
    assert.match(stderr, new RegExp(`^cannot connect to the engine daemon at unix://${directory}/none.sock: is engined running\\?\n`))
  })
})
