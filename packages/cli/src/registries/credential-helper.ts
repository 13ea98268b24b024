/** What a helper answers to `get`. */
interface Answer {
  readonly Username?: string
  readonly Secret?: string
}

const missing = 'credentials not found in native keychain'

/**
 * Asks a credential helper, `docker-credential-<name>` on the PATH (docker/docker-credential-helpers).
 * @returns undefined when it knows none for the server
 * @throws Error with what it says when it fails
 */
export async function helperGet(name: string, server: string): Promise<{ readonly username: string; readonly secret: string } | undefined> {
  const { status, output } = await call(name, 'get', server)
  if (status !== 0) {
    if (output.trim() === missing) return undefined
    throw failed(name, 'getting', output)
  }
  const { Username = '', Secret = '' } = parse(name, output)
  return { username: Username, secret: Secret }
}

/** What it says may be a secret: no error shows it. */
function parse(name: string, output: string): Answer {
  let answer: unknown
  try {
    answer = JSON.parse(output)
  } catch {
    throw new Error(`error getting credentials - err: docker-credential-${name} answered with something that is no JSON`)
  }
  const { Username, Secret } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<string, unknown>
  return { ...(typeof Username === 'string' ? { Username } : {}), ...(typeof Secret === 'string' ? { Secret } : {}) }
}

export async function helperStore(name: string, server: string, username: string, secret: string): Promise<void> {
  const { status, output } = await call(name, 'store', JSON.stringify({ ServerURL: server, Username: username, Secret: secret }))
  if (status !== 0) throw failed(name, 'storing', output)
}

export async function helperErase(name: string, server: string): Promise<void> {
  const { status, output } = await call(name, 'erase', server)
  if (status !== 0 && output.trim() !== missing) throw failed(name, 'erasing', output)
}

function failed(name: string, what: string, output: string): Error {
  return new Error(`error ${what} credentials - err: docker-credential-${name}, out: \`${output.trim()}\``)
}

async function call(name: string, verb: string, input: string): Promise<{ readonly status: number; readonly output: string }> {
  // A name from a file that is the user's own, and yet never a path.
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw new Error(`invalid name of a credential helper: ${JSON.stringify(name)}`)
  const { spawn } = process.getBuiltinModule('node:child_process')
  return await new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${name}`, [verb], { stdio: ['pipe', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stdin.on('error', () => undefined)
    child.on('error', (error) => reject(new Error(`error getting credentials - err: exec: "docker-credential-${name}": ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'executable file not found in $PATH' : error.message}`)))
    child.on('close', (status) => resolve({ status: status ?? -1, output }))
    child.stdin.end(input)
  })
}
