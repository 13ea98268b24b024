import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { engineOk, run } from '../harness/command-line.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { patience } from '../harness/patience.ts'

/** What `script` starts: a shell on a terminal of 30 lines and 90 columns, in which `engine` runs. */
interface Terminal {
  /** Resolves when the screen has shown `text` since the last call. */
  shows(text: string): Promise<void>
  type(keys: string): void
  /** Everything shown, when the shell has ended. */
  readonly ended: Promise<string>
}

describe('a terminal session', () => {
  let daemon: TestDaemon
  let directory = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-cli-terminal-'))
    daemon = await startDaemon()
    writeFileSync(join(directory, 'busybox.tar'), busyboxTar())
    await engineOk(daemon.host, 'import', '-c', 'CMD ["sh"]', '-c', 'ENV PATH=/bin', join(directory, 'busybox.tar'), 'busybox')
  })
  after(async () => {
    rmSync(directory, { recursive: true, force: true })
    await daemon?.[Symbol.asyncDispose]()
  })

  const open = (script: string): Terminal => {
    const prelude = `stty rows 30 cols 90; engine() { ${join(dist, 'bin/node')} -- ${join(dist, 'engine.cjs')} "$@"; }; `
    const child = spawn('script', ['-qec', prelude + script, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ENGINE_HOST: daemon.host, SHELL: '/bin/sh', PS1: '$ ' } })
    let screen = ''
    let seen = 0
    let look: () => void = () => undefined
    child.stdout.on('data', (data: Buffer) => {
      screen += data.toString()
      look()
    })
    child.stdin.on('error', () => undefined)
    const ended = new Promise<string>((resolve) => child.once('close', () => resolve(screen)))
    return {
      ended,
      type: (keys) => void child.stdin.write(keys),
      shows: (text) => new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`waited for ${JSON.stringify(text)}, the screen shows ${JSON.stringify(screen)}`)), 15_000 * patience)
        look = () => {
          const at = screen.indexOf(text, seen)
          if (at === -1) return
          seen = at + text.length
          clearTimeout(timer)
          resolve()
        }
        look()
      }),
    }
  }

  it('has the size of ours, gets its keys as they are, and ends as it ends', async () => {
    const terminal = open('engine run -it --rm --network none busybox sh -c "stty size; tty; exec sh"; echo "status $?"; stty -a')
    await terminal.shows('30 90')
    await terminal.shows('/dev/pts/0')
    await terminal.shows('# ')
    // Ctrl-C is a signal only when the shell has left its line editor.
    terminal.type('echo gone; sleep 100\r')
    await terminal.shows('\ngone')
    terminal.type('\u0003')
    await terminal.shows('# ')
    terminal.type('exit 6\r')
    const screen = await terminal.ended
    assert.match(screen, /status 6\r\n/)
    // Restored: cooked, with echo and output processing.
    assert.match(screen, /[^-]icanon/)
    assert.match(screen, /[^-]echo /)
    assert.match(screen, /[^-]opost/)
  })

  it('is left by the detach keys, and the container goes on', async () => {
    const terminal = open('engine run -it --name left --network none busybox sh; echo "status $?"')
    await terminal.shows('# ')
    terminal.type('\u0010\u0011')
    assert.match(await terminal.ended, /status 0\r\n/)
    assert.equal(await engineOk(daemon.host, 'inspect', '-f', '{{.State.Running}}', 'left'), 'true\n')

    const again = open('engine attach --detach-keys x,ctrl-y left; echo "status $?"')
    again.type('echo once')
    again.type('more\r')
    await again.shows('\noncemore')
    again.type('x\u0019')
    assert.match(await again.ended, /read escape sequence\r\nstatus 1\r\n/)
    await engineOk(daemon.host, 'rm', '-f', 'left')
  })

  it('of an exec has its own terminal and status', async () => {
    await engineOk(daemon.host, 'run', '-d', '--name', 'host', '--network', 'none', 'busybox', 'sleep', '1000')
    const screen = await open('engine exec -it host sh -c "stty size; test -t 0 && echo terminal; exit 9"; echo "status $?"').ended
    assert.match(screen, /30 90\r\nterminal\r\nstatus 9\r\n/)
    await engineOk(daemon.host, 'rm', '-f', 'host')
  })

  it('follows changes of size', async () => {
    // Once the command is there to see it, however slow the machine.
    const sign = join(directory, 'resize')
    const terminal = open(`(until [ -e ${sign} ]; do sleep 0.1; done; stty rows 33 cols 99 </dev/tty) & engine run -it --rm --network none busybox sh -c "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done"`)
    await terminal.shows('ready')
    writeFileSync(sign, '')
    await terminal.shows('33 99')
    await terminal.ended
  })

  it('needs a terminal', async () => {
    const ended = await run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), 'run', '-it', 'busybox'], { env: { ENGINE_HOST: daemon.host } })
    assert.deepEqual(ended, { status: 1, stdout: '', stderr: 'the input device is not a TTY\n' })
  })
})
