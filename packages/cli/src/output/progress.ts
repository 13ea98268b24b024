/** One message of a progress stream (pull, build, import). */
export interface ProgressMessage {
  readonly stream?: string
  readonly status?: string
  readonly id?: string
  readonly progress?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number } | null
  readonly error?: string
  readonly errorDetail?: { readonly code?: number; readonly message?: string }
  readonly aux?: unknown
}

/** Where progress is shown. */
export interface ProgressOutput {
  print(text: string): void
  /** Lines can be written over. */
  readonly terminal: boolean
  /** Columns of a terminal; a bar needs 110, as with docker. */
  columns?(): number
}

/** The stream ended with an error message. */
export class ProgressError extends Error {
  override readonly name = 'ProgressError'
  /** Exit status that the message asks for, 0 when it does not. */
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

/**
 * Shows a progress stream as docker does: line by line, and on a terminal one line per id that is written over.
 * @param onAux takes the messages meant for programs (the image's ID)
 * @throws ProgressError at an error message
 */
export async function showProgress(messages: AsyncIterable<ProgressMessage>, out: ProgressOutput, onAux?: (aux: unknown) => void): Promise<void> {
  const { terminal } = out
  const lines = new Map<string, number>()
  for await (const message of messages) {
    if (message.aux !== undefined) {
      onAux?.(message.aux)
      continue
    }
    const error = message.errorDetail?.message ?? message.error
    if (error !== undefined) throw new ProgressError(error, message.errorDetail?.code ?? 0)
    if (message.stream !== undefined) out.print(message.stream)
    else if (terminal && message.id !== undefined && message.id !== '') overwrite(message, lines, out)
    else if (message.progress === undefined || message.progress === '') {
      lines.clear()
      out.print(`${describe(message)}\n`)
    } else if (terminal) out.print(`\u001b[2K\r${describe(message)}\r`)
  }
}

function overwrite(message: ProgressMessage, lines: Map<string, number>, out: ProgressOutput): void {
  const id = message.id ?? ''
  const known = lines.get(id)
  if (known === undefined) {
    lines.set(id, lines.size)
    out.print(`\u001b[2K\r${describe(fitting(message, out))}\n`)
    return
  }
  const up = lines.size - known
  out.print(`\u001b[${up}A\u001b[2K\r${describe(fitting(message, out))}\u001b[${up}B\r`)
}

/** A line that wrapped could not be written over. */
function fitting(message: ProgressMessage, { columns }: ProgressOutput): ProgressMessage {
  if (message.progress === undefined || columns === undefined || columns() > 110) return message
  return { ...message, progress: message.progress.replace(/^\[=*>? *\] /, '') }
}

function describe({ id, status = '', progress }: ProgressMessage): string {
  return `${id === undefined || id === '' ? '' : `${id}: `}${status}${progress === undefined || progress === '' ? '' : ` ${progress}`}`
}
