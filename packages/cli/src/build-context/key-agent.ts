import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

const agentProgram = '/usr/bin/ssh-agent'
const addProgram = '/usr/bin/ssh-add'
/** Milliseconds that an agent may take to listen. */
const patience = 10_000

/** An SSH agent of this command's own. */
export interface KeyAgent extends Disposable {
  /** Path of its socket, which only this user may open. */
  readonly socket: string
}

/**
 * Starts an agent (ssh-agent(1)) that has private keys of files for the time of a build: the engine gets a socket, never a key. It ends
 * with this process, however that ends: the agent has a subprocess that waits for the end of a pipe.
 * @throws Error when OpenSSH's programs are not there, or a key cannot be used (it has a passphrase)
 */
export async function startKeyAgent(keys: readonly string[]): Promise<KeyAgent> {
  if (!existsSync(agentProgram) || !existsSync(addProgram)) throw new Error('keys are forwarded by ssh-agent, which is not installed (Debian package openssh-client)')
  const directory = mkdtempSync(join(tmpdir(), 'engine-ssh-'))
  const socket = join(directory, 'agent')
  const agent = spawn(agentProgram, ['-a', socket, '/bin/cat'], { stdio: ['pipe', 'ignore', 'ignore'] })
  let ended: Error | undefined
  agent.once('error', (error) => (ended = error)).once('exit', (code) => (ended ??= new Error(`ssh-agent ended with ${code}`)))
  agent.stdin.on('error', () => undefined)
  const close = (): void => {
    agent.stdin.destroy()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    for (let waited = 0; !existsSync(socket); waited += 10) {
      if (ended !== undefined) throw ended
      if (waited > patience) throw new Error('ssh-agent does not listen')
      await sleep(10)
    }
    for (const key of keys) {
      await run(addProgram, ['-q', key], { env: { SSH_AUTH_SOCK: socket, SSH_ASKPASS: '/bin/false', SSH_ASKPASS_REQUIRE: 'force', PATH: '/usr/bin:/bin' } }).catch((error: unknown) => {
        const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
        throw new Error(`failed to parse ssh key ${key}: ${stderr || 'it cannot be used; a key with a passphrase must be in an agent'}`, { cause: error })
      })
    }
  } catch (error) {
    close()
    throw error
  }
  return { socket, [Symbol.dispose]: close }
}
